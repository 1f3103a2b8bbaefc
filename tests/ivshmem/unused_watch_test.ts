import { equal } from "node:assert/strict";
import { MappedMemory, sealedMemfd } from "../../ffi/mapped_memory.ts";
import { isAtRest, UnusedWatch } from "../../app/ivshmem/unused_watch.ts";
import { HEADER, MAGIC, REGION_STATE } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { OpenFiles } from "../ffi/open_files.ts";

const MIB = 1 << 20;

// It reads /proc/self/fd through the shim, so that no permission of Deno's is wanted.

function freshRegion(files: OpenFiles): { fd: number; memory: MappedMemory } {
  const fd = files.add(sealedMemfd("test", MIB));
  return { fd, memory: MappedMemory.ofFile(fd, MIB, "test") };
}

const unmapped = () => false;

Deno.test("isAtRest() of a region that was never begun, or was closed, not of one that is built", () => {
  using files = new OpenFiles();
  const { fd, memory } = freshRegion(files);
  equal(isAtRest(fd), true);
  const region = Region.build(memory, "test");
  equal(isAtRest(fd), false);
  region.publish();
  equal(isAtRest(fd), false);
  region.close();
  equal(isAtRest(fd), true);
  equal(isAtRest(fd), true, "it reads from the start each time");
  memory.close();
});

Deno.test("isAtRest() is false of memory that holds something else", () => {
  using files = new OpenFiles();
  const { fd, memory } = freshRegion(files);
  memory.u32[HEADER.MAGIC_0] = 1;
  equal(isAtRest(fd), false);
  memory.u32[HEADER.MAGIC_0] = MAGIC[0];
  memory.u32[HEADER.STATE] = REGION_STATE.EMPTY;
  equal(isAtRest(fd), false, "begun, but it does not say so yet");
  memory.close();
});

Deno.test("UnusedWatch waits for the first member, but not for ever", () => {
  using files = new OpenFiles();
  const { fd, memory } = freshRegion(files);
  const watch = new UnusedWatch(fd, 1000, 60_000, unmapped);
  equal(watch.left(0, 1000), 60_000);
  equal(watch.left(0, 61_000), 0);
  memory.close();
});

Deno.test("UnusedWatch ends at once when the last member leaves a region that is at rest", () => {
  using files = new OpenFiles();
  const { fd, memory } = freshRegion(files);
  const watch = new UnusedWatch(fd, 0, 60_000, unmapped);
  equal(watch.left(1, 10), Infinity);
  equal(watch.left(0, 20), 0);
  memory.close();
});

Deno.test("UnusedWatch keeps a region in which a host died for the next one, for a while", () => {
  using files = new OpenFiles();
  const { fd, memory } = freshRegion(files);
  const watch = new UnusedWatch(fd, 0, 60_000, unmapped);
  watch.left(2, 10);
  const region = Region.build(memory, "test");
  region.publish();
  equal(watch.left(1, 100_000), Infinity);
  equal(watch.left(0, 100_000), 60_000, "from the last time that somebody was there");
  equal(watch.left(0, 159_999), 1);
  equal(watch.left(1, 159_999), Infinity, "the next host");
  equal(watch.left(0, 170_000), 49_999);
  region.close();
  equal(watch.left(0, 170_000), 0);
  memory.close();
});

Deno.test("UnusedWatch of memory that another server has served before waits for nobody, once at rest", () => {
  using files = new OpenFiles();
  const { fd, memory } = freshRegion(files);
  const region = Region.build(memory, "test");
  const watch = new UnusedWatch(fd, 0, 60_000, unmapped, true);
  equal(watch.left(0, 10), 59_990);
  region.close();
  equal(watch.left(0, 20), 0);
  memory.close();
});

Deno.test("UnusedWatch keeps what a VM has mapped, whether its host has closed it or died", () => {
  using files = new OpenFiles();
  const { fd, memory } = freshRegion(files);
  let isMapped = true;
  const watch = new UnusedWatch(fd, 0, 60_000, () => isMapped);
  const region = Region.build(memory, "test");
  watch.left(1, 10);
  equal(watch.left(0, 20), 59_990);
  equal(watch.left(0, 60_010), 1000);
  region.close();
  equal(watch.left(0, 60_020), 1000);
  isMapped = false;
  equal(watch.left(0, 61_020), 0);
  memory.close();
});
