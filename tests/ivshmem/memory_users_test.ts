import { deepEqual, equal } from "node:assert/strict";
import { check } from "../../ffi/error.ts";
import { MappedMemory, sealedMemfd } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { MemoryUsers } from "../../app/ivshmem/memory_users.ts";
import { statusOfFile } from "../../app/linux/owner.ts";
import { OpenFiles } from "../ffi/open_files.ts";

const MIB = 1 << 20;

/** A server's memory, and who uses it. */
class Served implements Disposable {
  readonly files = new OpenFiles();
  readonly fd = this.files.add(sealedMemfd("test", MIB));
  readonly users = new MemoryUsers(this.fd);

  /** Map it as QEMU does by `mem-path=/proc/PID/fd/N`; for reading alone with `access` 3. */
  mapByPath(access = 5): MappedMemory {
    const path = cString(`/proc/self/fd/${this.fd}`);
    const fd = check(shim.shim_file_open(path, access), "open it");
    const memory = MappedMemory.ofFile(fd, MIB, "test");
    shim.shim_fd_close(fd);
    return memory;
  }

  [Symbol.dispose](): void {
    this.users.close();
    this.files[Symbol.dispose]();
  }
}

Deno.test("MemoryUsers are not there while only the server has the memory", () => {
  using served = new Served();
  equal(served.users.areThere, false);
  equal(served.users.areThere, false, "at the second look, too");
});

Deno.test("MemoryUsers are there as long as somebody has mapped the memory by its path in /proc", () => {
  using served = new Served();
  const memory = served.mapByPath();
  equal(served.users.areThere, true);
  memory.u32[7] = 4711;
  equal(served.users.areThere, true);
  memory.close();
  equal(served.users.areThere, false);
});

Deno.test("MemoryUsers are not those who only read, beside others who write", () => {
  using served = new Served();
  const reader = served.mapByPath(3);
  equal(served.users.areThere, false);
  const writer = served.mapByPath();
  equal(served.users.areThere, true);
  writer.close();
  equal(served.users.areThere, false);
  reader.close();
});

Deno.test("MemoryUsers are there as long as somebody has mapped what the server handed out", () => {
  using served = new Served();
  const memory = MappedMemory.ofFile(served.fd, MIB, "test"); // a mapping of the same open file
  equal(served.users.areThere, true);
  memory.close();
  equal(served.users.areThere, false);
});

Deno.test("MemoryUsers who have a descriptor of another server of the same memory are there", () => {
  using served = new Served();
  const memory = MappedMemory.ofFile(served.fd, MIB, "test");
  const next = new MemoryUsers(served.fd); // its successor inherits what it has handed out
  served.users.close();
  equal(next.areThere, true);
  memory.close();
  equal(next.areThere, false);
  next.close();
});

Deno.test("MemoryUsers leave the number that is handed out open, with the same memory", () => {
  using served = new Served();
  const before = statusOfFile(served.fd, "test");
  const memory = served.mapByPath();
  equal(served.users.areThere, true);
  deepEqual(statusOfFile(served.fd, "test"), before);
  memory.close();
  equal(served.users.areThere, false);
  deepEqual(statusOfFile(served.fd, "test"), before);
});
