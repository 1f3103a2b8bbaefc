import { deepEqual, equal } from "node:assert/strict";
import { sealedMemfd } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { fileTest, Folder } from "./folder.ts";
import { freshMemory } from "./fresh_memory.ts";
import { OpenFiles } from "./open_files.ts";

const EBADF = 9, EEXIST = 17, EINVAL = 22, ENOENT = 2, ERANGE = 34, ELOOP = 40, EWOULDBLOCK = 11;
const [READ, WRITE, CREATE] = [0, 1, 2];
const WRITE_BY_LINK = 5;

/** The path of a file in a test's folder, for C. */
function pathOf(folder: Folder, name: string): Uint8Array<ArrayBuffer> {
  return cString(`${folder.path}/${name}`);
}

Deno.test("shim_map_cells() takes mbufs that fill the map to its last byte", () => {
  using memory = freshMemory(8192);
  equal(shim.shim_map_cells(memory.map, 0n, 128, 64), 0);
  equal(shim.shim_map_cells(memory.map, 4096n, 128, 32), 0);
  equal(shim.shim_map_cells(memory.map, 8192n, 128, 0), 0);
});

Deno.test("shim_map_cells() gives ERANGE for mbufs that reach beyond the map", () => {
  using memory = freshMemory(8192);
  equal(shim.shim_map_cells(memory.map, 1n, 128, 64), -ERANGE);
  equal(shim.shim_map_cells(memory.map, 0n, 128, 65), -ERANGE);
  equal(shim.shim_map_cells(memory.map, 8193n, 128, 0), -ERANGE);
  equal(shim.shim_map_cells(memory.map, 0n, 0xffffffff, 0xffffffff), -ERANGE);
});

Deno.test("shim_map_cells() gives ERANGE where offset and size wrap around 2^64", () => {
  using memory = freshMemory(8192);
  equal(shim.shim_map_cells(memory.map, 2n ** 64n - 128n, 128, 2), -ERANGE);
  equal(shim.shim_map_cells(memory.map, 2n ** 64n - 1n, 1, 1), -ERANGE);
});

Deno.test("shim_map_cells() and shim_unmap() give EBADF for what is not mapped", () => {
  const closed = freshMemory(4096);
  closed[Symbol.dispose]();
  for (const map of [-1, 256, 2 ** 31 - 1, closed.map]) {
    equal(shim.shim_map_cells(map, 0n, 64, 1), -EBADF);
    equal(shim.shim_unmap(map), -EBADF);
  }
});

Deno.test("shim_memfd() is closed on exec", () => {
  using files = new OpenFiles();
  const fd = files.add(sealedMemfd("culvert-test", 4096));
  const status = files.add(shim.shim_file_open(cString(`/proc/self/fdinfo/${fd}`), READ));
  const text = new Uint8Array(4096);
  const length = shim.shim_file_read(status, text, text.length);
  const flags = /^flags:\s+(\d+)$/m.exec(new TextDecoder().decode(text.subarray(0, length)))![1];
  equal(parseInt(flags, 8) & 0o2000000, 0o2000000);
});

fileTest("shim_file_open() creates only what is not there, for its owner alone", () => {
  using folder = new Folder();
  using files = new OpenFiles();
  files.add(shim.shim_file_open(pathOf(folder, "region"), CREATE));
  equal(Deno.statSync(`${folder.path}/region`).mode! & 0o777, 0o600);
  equal(shim.shim_file_open(pathOf(folder, "region"), CREATE), -EEXIST);
});

fileTest("shim_file_open() refuses what it cannot open, and other kinds of access", () => {
  using folder = new Folder();
  equal(shim.shim_file_open(pathOf(folder, "none"), READ), -ENOENT);
  equal(shim.shim_file_open(pathOf(folder, "none"), WRITE), -ENOENT);
  equal(shim.shim_file_open(pathOf(folder, "none"), 6), -EINVAL);
});

Deno.test("shim_file_open() follows no symbolic link", () => {
  equal(shim.shim_file_open(cString("/proc/self"), READ), -ELOOP);
});

Deno.test("shim_file_open() opens a descriptor's file again, to write to it too, if told to", () => {
  using files = new OpenFiles();
  const memfd = files.add(sealedMemfd("culvert-test", 4096));
  const path = cString(`/proc/self/fd/${memfd}`);
  equal(shim.shim_file_open(path, WRITE), -ELOOP);
  const again = files.add(shim.shim_file_open(path, WRITE_BY_LINK));
  equal(shim.shim_file_write(again, new Uint8Array([7]), 1, 9), 1);
  const bytes = new Uint8Array(16);
  equal(shim.shim_file_read(memfd, bytes, 16), 16);
  equal(bytes[9], 7);
});

fileTest("shim_file_resize() sets what shim_file_size() tells", () => {
  using folder = new Folder();
  using files = new OpenFiles();
  const fd = files.add(shim.shim_file_open(pathOf(folder, "region"), CREATE));
  equal(shim.shim_file_size(fd), 0n);
  equal(shim.shim_file_resize(fd, 2n ** 33n), 0);
  equal(shim.shim_file_size(fd), 2n ** 33n);
});

fileTest("shim_file_read() tells how many bytes there were", () => {
  using folder = new Folder();
  using files = new OpenFiles();
  Deno.writeTextFileSync(`${folder.path}/file`, "abc");
  const fd = files.add(shim.shim_file_open(pathOf(folder, "file"), READ));
  const bytes = new Uint8Array(8);
  equal(shim.shim_file_read(fd, bytes, 2), 2);
  equal(shim.shim_file_read(fd, bytes, 8), 1);
  equal(shim.shim_file_read(fd, bytes, 8), 0);
  deepEqual([...bytes.subarray(0, 2)], [99, 98]);
});

fileTest("shim_file_lock() is exclusive until its holder closes the file", () => {
  using folder = new Folder();
  using files = new OpenFiles();
  const holder = shim.shim_file_open(pathOf(folder, "lock"), CREATE);
  const other = files.add(shim.shim_file_open(pathOf(folder, "lock"), WRITE));
  equal(shim.shim_file_lock(holder), 0);
  equal(shim.shim_file_lock(other), -EWOULDBLOCK);
  equal(shim.shim_fd_close(holder), 0);
  equal(shim.shim_file_lock(other), 0);
});

Deno.test("shim_file_size(), _read(), _resize(), _lock() and shim_fd_close() give EBADF", () => {
  equal(shim.shim_file_size(-1), BigInt(-EBADF));
  equal(shim.shim_file_read(-1, new Uint8Array(1), 1), -EBADF);
  equal(shim.shim_file_resize(-1, 0n), -EBADF);
  equal(shim.shim_file_lock(-1), -EBADF);
  equal(shim.shim_fd_close(-1), -EBADF);
});
