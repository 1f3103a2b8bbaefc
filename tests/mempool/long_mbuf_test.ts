/**
 * Long mbufs: runs of cells behind the others.
 *
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { cellsOfLong, SUPER_FRAME_MAX } from "../../app/memory/layout.ts";
import { CheckedMempool } from "../../app/mempool/checked_mempool.ts";
import { cellsIn, countIn, Mbufs } from "../../app/mempool/mbuf.ts";
import { newLongFreeRing } from "../../app/mempool/free_ring.ts";
import { Mempool } from "../../app/mempool/mempool.ts";
import { Burst } from "../../app/ring/burst.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";

const GEOMETRY = { offset: 0, stride: 2368, count: 100, long: 8 };
const CELLS = 28;

Deno.test("cellsOfLong() has room for headroom and the longest super-frame, for every stride", () => {
  equal(cellsOfLong(2368), CELLS);
  for (let stride = 2368; stride < 70_000; stride += 128) {
    const bytes = cellsOfLong(stride) * stride;
    ok(bytes >= 128 + SUPER_FRAME_MAX && bytes < 128 + SUPER_FRAME_MAX + stride, `${stride}`);
  }
});

Deno.test("countIn() finds plain and long mbufs of a memzone, and no more long ones than fit", () => {
  const size = cellsIn(GEOMETRY) * 2368;
  deepEqual(countIn(size, 2368, 8), { count: 100, long: 8 });
  deepEqual(countIn(size, 2368, 0), { count: 100 + 8 * CELLS, long: 0 });
  for (const told of [12, 1000, 0xffffffff]) equal(countIn(size, 2368, told).long, 0);
});

Deno.test("Mbufs.roomOf() is that of a plain or a long mbuf", () => {
  using memory = freshMemory(cellsIn(GEOMETRY) * 2368);
  const mbufs = new Mbufs(memory, GEOMETRY);
  deepEqual([mbufs.count, mbufs.longRoom], [100, CELLS * 2368]);
  deepEqual([0, 99, 100, 100 + CELLS].map((index) => mbufs.roomOf(index | 0xff << 24)), [
    ...[2368, 2368],
    ...[mbufs.longRoom, mbufs.longRoom],
  ]);
});

Deno.test("Mbufs are a geometry: cellsIn() counts the long ones, as it does in what made them", () => {
  using memory = freshMemory(cellsIn(GEOMETRY) * 2368);
  equal(cellsIn(new Mbufs(memory, GEOMETRY)), 100 + 8 * CELLS);
  equal(cellsIn(new Mbufs(memory, { offset: 0, stride: 2368, count: 100 })), 100);
});

for (
  const [name, create] of [
    ["Mempool", () => Mempool.create(100, 0, newLongFreeRing(GEOMETRY))],
    [
      "CheckedMempool",
      () => {
        const fail = ({ message }: { message: string }) => ok(false, message);
        return CheckedMempool.createUntagged(100, "test", fail, newLongFreeRing(GEOMETRY));
      },
    ],
  ] as const
) {
  Deno.test(`${name} gives long mbufs on request, and takes them back among the others`, () => {
    const pool = create();
    const burst = Burst.of(128);
    equal(pool.long!.allocBurst(burst, 20), 8);
    deepEqual(
      [...burst.words.subarray(0, 16)].filter((_, i) => i % 2 === 0).sort((a, b) => a - b),
      Array.from({ length: 8 }, (_, i) => 100 + i * CELLS),
    );
    equal(pool.allocBulk(burst, 100, 8), 100);
    deepEqual([pool.available, pool.long!.available], [0, 0]);
    for (let i = 0; i < 108; i += 12) pool.free(burst, 12, i);
    deepEqual([pool.available, pool.long!.available], [100, 8]);
  });
}

Deno.test("Mempool.close() gives the long mbufs of this thread's cache back, too", () => {
  const pool = Mempool.create(100, 0, newLongFreeRing(GEOMETRY));
  const other = Mempool.attach(pool.handle);
  const burst = Burst.of(8);
  equal(other.long!.allocBulk(burst, 2), 2);
  other.free(burst, 2);
  ok(pool.long!.available < 8);
  other.close();
  equal(pool.long!.available, 8);
});

Deno.test("Mempool without long mbufs has none", () => {
  equal(newLongFreeRing({ ...GEOMETRY, long: 0 }), undefined);
  equal(Mempool.create(10).long, undefined);
});
