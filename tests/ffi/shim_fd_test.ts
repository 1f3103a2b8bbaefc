import { equal } from "node:assert/strict";
import { sealedMemfd } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { OpenFiles } from "./open_files.ts";

const EBADF = 9;
const NO_FD = 1 << 20;

Deno.test("shim_fd_copy() lets a number name another eventfd, the one that it named goes on", () => {
  using files = new OpenFiles();
  const [old, fresh] = [files.add(shim.shim_eventfd()), files.add(shim.shim_eventfd())];
  equal(shim.shim_eventfd_signal(old), 0);
  equal(shim.shim_fd_copy(fresh, old), 0);
  equal(shim.shim_eventfd_signal(fresh), 0);
  equal(shim.shim_eventfd_drain(old), 1);
  equal(shim.shim_fd_same(old, fresh), 1);
  equal(shim.shim_fd_copy(NO_FD, old), -EBADF);
});

Deno.test("shim_fd_same() tells one file from another", () => {
  using files = new OpenFiles();
  const [a, b] = ["a", "a"].map((name) => files.add(sealedMemfd(name, 4096)));
  const copy = files.add(shim.shim_eventfd());
  equal(shim.shim_fd_copy(a, copy), 0);
  equal(shim.shim_fd_same(a, copy), 1);
  equal(shim.shim_fd_same(a, b), 0);
  equal(shim.shim_fd_same(a, NO_FD), -EBADF);
});
