import { deepEqual, equal, notEqual, ok, throws } from "node:assert/strict";
import { ShimError } from "../../ffi/error.ts";
import { MappedMemory, sealedMemfd } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { freshMemory } from "./fresh_memory.ts";
import { OpenFiles } from "./open_files.ts";
import { runWorkers } from "./run_workers.ts";

Deno.test("MappedMemory.ofProcess() gives zeros, rounded up to whole pages", () => {
  using memory = freshMemory(4097);
  equal(memory.bytes, 8192);
  equal(memory.u8.length, 8192);
  equal(memory.u32.length, 2048);
  ok(memory.u32.every((word) => word === 0));
});

Deno.test("MappedMemory is a SharedArrayBuffer", () => {
  using memory = freshMemory(4096);
  ok(memory.u32.buffer instanceof SharedArrayBuffer);
});

Deno.test("MappedMemory.ofFile() maps the same file as often as asked", () => {
  using files = new OpenFiles();
  const fd = files.add(sealedMemfd("culvert-test", 1 << 20));
  const one = MappedMemory.ofFile(fd, 1 << 20, "one");
  const two = MappedMemory.ofFile(fd, 1 << 20, "two");
  one.u32[5] = 0xdecade;
  two.store((1 << 18) - 1, 0xfacade);
  equal(two.load(5), 0xdecade);
  equal(one.u32[(1 << 18) - 1], 0xfacade);
  one.close();
  equal(two.u32[5], 0xdecade);
  two.close();
});

Deno.test("MappedMemory.ofFile() reaches the last word of 4 GiB", () => {
  using files = new OpenFiles();
  const bytes = 2 ** 32;
  const memory = MappedMemory.ofFile(files.add(sealedMemfd("culvert-test", bytes)), bytes, "big");
  memory.u8[bytes - 1] = 0x80;
  equal(memory.load(bytes / 4 - 1), 0x80000000);
  equal(memory.u32.length, bytes / 4);
  memory.close();
});

Deno.test("MappedMemory.ofFile() says which memory the kernel refused", () => {
  throws(() => MappedMemory.ofFile(-7 >>> 1, 4096, "region r0"), (error) => {
    ok(error instanceof ShimError);
    equal(error.message, "Cannot map region r0 as the kernel says EBADF");
    return true;
  });
});

Deno.test("MappedMemory orders words: load, store and compareAndSwap reach what u32 sees", () => {
  using memory = freshMemory(4096);
  memory.store(3, 0xffffffff);
  equal(memory.u32[3], 0xffffffff);
  equal(memory.load(3), 0xffffffff);
  equal(memory.compareAndSwap(3, 1, 2), false);
  equal(memory.u32[3], 0xffffffff);
  equal(memory.compareAndSwap(3, 0xffffffff, 0x80000000), true);
  equal(memory.u32[3], 0x80000000);
});

Deno.test("MappedMemory adopts a handle in another thread", async () => {
  using memory = freshMemory(4096);
  memory.u32[1] = 41;
  const [answer] = await runWorkers(new URL("./mapped_memory_worker.ts", import.meta.url), [
    memory.handle,
  ]);
  deepEqual(answer, { found: 41, shared: true });
  equal(memory.load(1), 42);
});

Deno.test("MappedMemory.close() leaves zeros behind, and no access fails", () => {
  const memory = MappedMemory.ofProcess(4096);
  memory.u32.fill(9);
  memory.close();
  equal(memory.u32[0], 0);
  equal(memory.load(0), 0);
  memory.store(0, 1); // goes nowhere
  equal(memory.u32[0], 0);
  equal(memory.load(0), 0);
});

Deno.test("MappedMemory.close() leaves a number that is not the next memory's", () => {
  const closed = MappedMemory.ofProcess(4096);
  closed.close();
  using next = freshMemory(4096);
  notEqual(next.map, closed.map);
  closed.store(0, 7);
  equal(next.u32[0], 0);
});

Deno.test("MappedMemory.close() gives the map's number back", () => {
  for (let i = 0; i < 2100; i++) freshMemory(4096)[Symbol.dispose]();
});

Deno.test("MappedMemory.ofProcess() says so when the shim has no map left", () => {
  const memories: MappedMemory[] = [];
  try {
    throws(() => {
      for (let i = 0; i < 2049; i++) memories.push(MappedMemory.ofProcess(4096));
    }, { code: "ENFILE" });
  } finally {
    for (const memory of memories) memory.close();
  }
});

Deno.test("sealedMemfd() has the size asked for, for ever", () => {
  using files = new OpenFiles();
  const fd = files.add(sealedMemfd("culvert-test", 8192));
  equal(shim.shim_file_size(fd), 8192n);
  equal(shim.shim_file_resize(fd, 4096n), -1, "shrinking gives EPERM");
  equal(shim.shim_file_resize(fd, 16384n), -1, "growing gives EPERM");
  equal(shim.shim_file_size(fd), 8192n);
});
