import { deepEqual, equal, ok, throws } from "node:assert/strict";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import {
  DIRECTORY_BYTES,
  ENTRY,
  HEADROOM_BYTES,
  MBUF_STRIDE_BYTES,
  MEMPOOL,
  ZONE_KIND,
} from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { Mbufs, MbufView } from "../../app/mempool/mbuf.ts";
import { addMempool, attachMempool, type SharedMempool } from "../../app/toolkit/shared_mempool.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { runWorkers } from "../ffi/run_workers.ts";
import type { MempoolAnswer, MempoolOrder } from "../mempool/mempool_worker.ts";
import { Burst } from "../../app/ring/burst.ts";
import { burstOf } from "../kit/burst_of.ts";

/** A published region with a mempool, as its host and as a guest sees it. */
function poolIn(memory: MappedMemory, count: number, dataRoom?: number) {
  const region = Region.build(memory, "r0");
  const host = addMempool(region, "pool", { count, dataRoom });
  region.publish();
  return { region, host, guest: attachMempool(Region.attach(memory, "r0"), "pool") };
}

/** Allocate all that is there; the mbuf indexes, sorted. */
function takeAll({ pool }: SharedMempool): number[] {
  const burst = Burst.of(64);
  const indexes: number[] = [];
  for (let n; (n = pool.allocBurst(burst, 64)) > 0;) {
    for (let i = 0; i < n; i++) indexes.push(burst.words[2 * i]);
  }
  return indexes.sort((a, b) => a - b);
}

Deno.test("a shared mempool gives each mbuf once, to whichever side asks, and takes it back from either", () => {
  using memory = freshMemory(1 << 20);
  const { host, guest } = poolIn(memory, 100, 256);
  const [a, b] = [Burst.of(100), Burst.of(100)];
  equal(host.pool.allocBulk(a, 60), 60);
  equal(guest.pool.available, 40);
  equal(guest.pool.allocBulk(b, 41), 0);
  equal(guest.pool.allocBurst(b, 41), 40);
  const indexes = [...a.words.subarray(0, 120), ...b.words.subarray(0, 80)]
    .filter((_, word) => word % 2 === 0);
  equal(new Set(indexes).size, 100);
  guest.pool.free(a, 60); // handed over
  host.pool.free(b, 40);
  equal(host.pool.available, 100);
  deepEqual(takeAll(guest), Array.from({ length: 100 }, (_, i) => i));
});

Deno.test("a shared mempool's mbufs are the same bytes on both sides", () => {
  using memory = freshMemory(1 << 20);
  const { region, host, guest } = poolIn(memory, 33, 100);
  const { offset, size } = region.zones[0];
  const burst = Burst.of(33);
  equal(host.pool.allocBulk(burst, 33), 33);
  const [ours, theirs] = [host, guest].map(({ mbufs }) => new MbufView(mbufs));
  for (let i = 0; i < 33; i++) {
    equal(ours.moveTo(burst, i).append(100), true);
    ours.bytes().fill(i + 1);
    const end = ours.byte + 100;
    ok(ours.byte - HEADROOM_BYTES >= offset && end <= offset + size, "it lies in the memzone");
  }
  for (let i = 0; i < 33; i++) {
    ok(theirs.moveTo(burst, i).bytes().every((byte) => byte === i + 1), `mbuf ${i} is its own`);
  }
  host.pool.free(burst, 33);
  deepEqual(takeAll(guest).length, 33, "frames do not touch the free ring");
});

for (const [dataRoom, stride] of [[1, 192], [64, 192], [65, 320], [2240, 2368], [65280, 65472]]) {
  Deno.test(`a data room of ${dataRoom} bytes makes mbufs of ${stride}: an odd number of cache lines`, () => {
    using memory = freshMemory(1 << 20);
    const { host } = poolIn(memory, 3, dataRoom);
    equal(host.mbufs.stride, stride);
    equal(stride / 64 % 2, 1);
    ok(stride >= HEADROOM_BYTES + dataRoom);
  });
}

Deno.test("mbufs hold a frame of the usual MTU unless told", () => {
  using memory = freshMemory(1 << 20);
  equal(poolIn(memory, 10).guest.mbufs.stride, MBUF_STRIDE_BYTES);
});

Deno.test("mempools with different data rooms lie in one region side by side", () => {
  using memory = freshMemory(1 << 20);
  const region = Region.build(memory, "r0");
  const rooms = [64, 512, 2240];
  const pools = rooms.map((dataRoom, i) => addMempool(region, `p${i}`, { count: 20, dataRoom }));
  const burst = Burst.of(20);
  for (const [i, { pool, mbufs }] of pools.entries()) {
    pool.allocBulk(burst, 20);
    const view = new MbufView(mbufs);
    for (let k = 0; k < 20; k++) {
      ok(view.moveTo(burst, k).append(rooms[i]));
      view.bytes().fill(0x80 + i);
    }
    pool.free(burst, 20);
  }
  for (const [i, { pool, mbufs }] of pools.entries()) {
    equal(pool.allocBulk(burst, 20), 20);
    const view = new MbufView(mbufs);
    for (let k = 0; k < 20; k++) {
      view.moveTo(burst, k).append(rooms[i]);
      ok(view.bytes().every((byte) => byte === 0x80 + i), `pool ${i} has bytes of another`);
    }
  }
});

Deno.test("a shared mempool leaves the shim with the mbufs that ports use", () => {
  using memory = freshMemory(1 << 20);
  const region = Region.build(memory, "r0");
  const { offset } = region.addMemzone("mbufs", ZONE_KIND.MBUFS, 8 * 256, 256);
  new Mbufs(memory, { offset, stride: 256, count: 8 });
  using other = freshMemory(4096);
  new Mbufs(other, { offset: 0, stride: 256, count: 8 });
  const { pool, mbufs } = addMempool(region, "pool", { count: 20, dataRoom: 1000 });
  memory.u8.fill(7, offset + 256, offset + 512); // mbuf 1
  const frame = burstOf([1, 200 << 16]);
  const target = burstOf([0, 0]);
  equal(
    shim.shim_frames_copy(
      memory.map | other.map << 16,
      frame.map | target.map << 16,
      frame.word,
      target.word,
      1,
    ),
    1,
  );
  ok(other.u8.subarray(0, 200).every((byte) => byte === 7), "it still knows those, not the pool's");
  pool.allocBulk(frame, 1);
  mbufs.prefetch(frame, 1); // does nothing, and no harm
});

const SPOILED: [what: string, spoil: (memory: MappedMemory, zone: number) => void][] = [
  ["no mbufs", (memory, zone) => memory.u32[zone + MEMPOOL.COUNT] = 0],
  ["one mbuf more than fit", (memory, zone) => memory.u32[zone + MEMPOOL.COUNT]++],
  ["2^24 + 1 mbufs", (memory, zone) => memory.u32[zone + MEMPOOL.COUNT] = 2 ** 24 + 1],
  ["2^32 - 1 mbufs", (memory, zone) => memory.u32[zone + MEMPOOL.COUNT] = 0xffffffff],
  ["a stride of 0", (memory) => memory.u32[DIRECTORY_BYTES / 4 + ENTRY.PARAMETER] = 0],
  ["a stride of 128", (memory) => memory.u32[DIRECTORY_BYTES / 4 + ENTRY.PARAMETER] = 128],
  ["a stride of 200", (memory) => memory.u32[DIRECTORY_BYTES / 4 + ENTRY.PARAMETER] = 200],
  ["a larger stride", (memory) => memory.u32[DIRECTORY_BYTES / 4 + ENTRY.PARAMETER] += 64],
  [
    "the largest stride",
    (memory) => memory.u32[DIRECTORY_BYTES / 4 + ENTRY.PARAMETER] = 0xffffffc0,
  ],
  ["a smaller memzone", (memory) => memory.u32[DIRECTORY_BYTES / 4 + ENTRY.SIZE]--],
  ["a memzone of 4 bytes", (memory) => memory.u32[DIRECTORY_BYTES / 4 + ENTRY.SIZE] = 4],
];

for (const [what, spoil] of SPOILED) {
  Deno.test(`attachMempool() refuses a mempool with ${what}`, () => {
    using memory = freshMemory(1 << 20);
    const { region } = poolIn(memory, 64, 256);
    spoil(memory, region.zones[0].offset / 4);
    throws(() => attachMempool(Region.attach(memory, "r0"), "pool"), {
      name: "CulvertError",
      message:
        /^Cannot use mempool pool of region r0 as its memzone has \d+ bytes for \d+ mbufs of /,
    });
  });
}

Deno.test("attachMempool() refuses what is not there, or of another kind", () => {
  using memory = freshMemory(1 << 20);
  const region = Region.build(memory, "r0");
  region.addMemzone("mbufs", ZONE_KIND.MBUFS, 4096, 256);
  throws(
    () => attachMempool(region, "pool"),
    /there is none of that name: kind MEMPOOL is wanted$/,
  );
  throws(
    () => attachMempool(region, "mbufs"),
    /it is of kind MBUFS there: kind MEMPOOL is wanted$/,
  );
});

for (const count of [0, -1, 1.5, NaN, 2 ** 24 + 1]) {
  Deno.test(`addMempool() refuses ${count} mbufs`, () => {
    using memory = freshMemory(1 << 20);
    throws(() => addMempool(Region.build(memory, "r0"), "pool", { count }), {
      name: "CulvertError",
      message: `Cannot add mempool pool to region r0 as it is to have ${count} mbufs: ` +
        "1 to 16777216 are possible",
    });
  });
}

Deno.test("addMempool() refuses a data room that is none, or more than there is room for", () => {
  using memory = freshMemory(1 << 20);
  const region = Region.build(memory, "r0");
  for (const dataRoom of [0, 65281, NaN]) {
    throws(() => addMempool(region, "pool", { count: 1, dataRoom }), {
      message:
        `Cannot add mempool pool to region r0 as its data room is to be ${dataRoom} bytes: ` +
        "1 to 65280 are possible",
    });
  }
  throws(() => addMempool(region, "pool", { count: 1000 }), /where \d+ are free/);
  deepEqual(region.zones, []);
});

Deno.test("one mbuf is enough for a shared mempool", () => {
  using memory = freshMemory(1 << 20);
  deepEqual(takeAll(poolIn(memory, 1).guest), [0]);
});

/** Mbufs that each Worker has to allocate to show anything. */
const ENOUGH = 100;

for (const cacheSize of [0, 32]) {
  Deno.test(`a shared mempool with caches of ${cacheSize}: two Workers never hold one mbuf`, async () => {
    using memory = freshMemory(1 << 20);
    const { host } = poolIn(memory, 400, 64);
    const order = {
      handle: host.pool.handle,
      cacheSize,
      workers: 2,
      milliseconds: 300,
      enough: ENOUGH,
      shared: new Int32Array(new SharedArrayBuffer(4)),
      held: new Uint8Array(new SharedArrayBuffer(400)),
    };
    const answers = await runWorkers<MempoolOrder, MempoolAnswer>(
      new URL("../mempool/mempool_worker.ts", import.meta.url),
      [{ ...order, seed: 1 }, { ...order, seed: 2 }],
    );
    for (const { allocated, wrong, partial } of answers) {
      deepEqual({ wrong, partial }, { wrong: 0, partial: 0 });
      ok(allocated > ENOUGH, `only ${allocated} were allocated: too few to show anything`);
    }
    equal(takeAll(host).length, 400);
  });
}
