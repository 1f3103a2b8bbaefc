import { deepEqual, equal, throws } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { makeMemory, roundedUp } from "../../app/ivshmem/served_memory.ts";
import { fileTest, Folder } from "../ffi/folder.ts";

for (
  const [asked, bytes] of [
    [1, 4096],
    [4096, 4096],
    [4097, 8192],
    [3 * 2 ** 20, 2 ** 22],
    [2 ** 26, 2 ** 26],
    [2 ** 26 + 1, 2 ** 27],
    [2 ** 32 - 1, 2 ** 32],
    [2 ** 40, 2 ** 40],
  ]
) {
  Deno.test(`roundedUp(${asked}) is ${bytes}`, () => equal(roundedUp(asked), bytes));
}

Deno.test("makeMemory() makes a memfd that nobody can cut short", () => {
  const { fd, bytes, place, close } = makeMemory({ kind: "memfd" }, "test", 8192);
  deepEqual([bytes, place], [8192, "a sealed memfd"]);
  equal(Number(shim.shim_file_size(fd)), 8192);
  equal(shim.shim_file_resize(fd, 4096n) < 0, true);
  equal(Number(shim.shim_file_size(fd)), 8192);
  close();
});

fileTest("makeMemory() makes a file in a folder that has no name", () => {
  using folder = new Folder();
  const { fd, place, close } = makeMemory({ kind: "folder", path: folder.path }, "test", 65536);
  equal(place, `a file in ${folder.path}`);
  deepEqual([...Deno.readDirSync(folder.path)], []);
  equal(Number(shim.shim_file_size(fd)), 65536);
  close();
  throws(() => makeMemory({ kind: "folder", path: `${folder.path}/none` }, "test", 65536), {
    name: "ShimError",
    message: /^Cannot make a file in .*none as the kernel says ENOENT/,
  });
});

Deno.test("makeMemory() takes what its starter left open, with its own size", () => {
  const { fd, close } = makeMemory({ kind: "memfd" }, "test", 8192);
  const inherited = makeMemory({ kind: "inherited", fd }, "test", 4096);
  deepEqual([inherited.fd, inherited.bytes], [fd, 8192]);
  close();
});
