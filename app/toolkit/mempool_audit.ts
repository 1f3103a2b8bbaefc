import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { HEADROOM_BYTES, MPMC } from "../memory/layout.ts";
import { CheckedMempool } from "../mempool/checked_mempool.ts";
import type { Mbufs } from "../mempool/mbuf.ts";
import type { Mempool } from "../mempool/mempool.ts";

/** Most problems that are listed one by one. */
const LISTED_MAX = 100;

/** The positions of a free ring. */
function positionsOf({ handle }: Mempool) {
  const { u32 } = new MappedMemory(handle.memory);
  const at = (word: number) => u32[(handle.offset >>> 2) + word];
  return {
    producerHead: at(MPMC.PRODUCER_HEAD),
    producer: at(MPMC.PRODUCER_TAIL),
    consumerHead: at(MPMC.CONSUMER_HEAD),
    consumer: at(MPMC.CONSUMER_TAIL),
  };
}

/**
 * Find what is wrong with a mempool that nobody is using at the moment: each mbuf must either be
 * free, exactly once, or allocated, and the free ring must have nothing else (DPDK
 * `rte_mempool_audit`, which panics).
 *
 * The caches of other threads are not seen: these threads must call `pool.close()` before.
 *
 * @param isHeld Whether an mbuf is allocated. If left out, a {@linkcode CheckedMempool} tells; in
 * other mempools no mbuf counts as allocated.
 * @returns a line for each problem, 100 at most and then their number; none if there is none.
 *
 * @example
 * ```ts
 * import { auditMempool, Burst, Mempool } from "../api.ts";
 *
 * const pool = Mempool.create(100);
 * const burst = Burst.of(2);
 * pool.allocBulk(burst, 2);
 * pool.free(burst, 1);
 * const lost = burst.words[2];
 * console.assert(auditMempool(pool).join() === `mbuf ${lost} is neither free nor held`);
 * console.assert(auditMempool(pool, (index) => index === lost).length === 0);
 * pool.free(burst, 1);
 * console.assert(auditMempool(pool).includes(`mbuf ${burst.words[0]} is free 2 times`));
 * ```
 */
export function auditMempool(
  pool: Mempool,
  isHeld: (index: number) => boolean = heldBy(pool),
): string[] {
  const { total, ringSize } = pool.handle;
  const { producerHead, producer, consumerHead, consumer } = positionsOf(pool);
  const problems: string[] = [];
  const used = (producer - consumer) >>> 0;
  if (producerHead !== producer) problems.push("somebody stopped half-way through a free");
  if (consumerHead !== consumer) problems.push("somebody stopped half-way through an allocation");
  if (used > ringSize) problems.push(`the free ring has ${used} elements in ${ringSize} slots`);
  const times = new Uint32Array(total);
  pool.walkFree((index) => {
    if (index < total) times[index]++;
    else problems.push(`mbuf ${index} is free, but there are ${total}`);
  });
  for (let index = 0; index < total; index++) {
    const held = isHeld(index);
    if (times[index] > 1) problems.push(`mbuf ${index} is free ${times[index]} times`);
    if (times[index] > 0 && held) problems.push(`mbuf ${index} is free, and held`);
    if (times[index] === 0 && !held) problems.push(`mbuf ${index} is neither free nor held`);
  }
  const more = problems.length - LISTED_MAX;
  return more <= 0 ? problems : [...problems.slice(0, LISTED_MAX), `and ${more} things more`];
}

function heldBy(pool: Mempool): (index: number) => boolean {
  if (!(pool instanceof CheckedMempool)) return () => false;
  return (index) => pool.watch.look(index).state !== "free";
}

/**
 * Describe a mempool as text, for debugging (DPDK: `rte_mempool_dump`).
 *
 * @param mbufs Its mbufs, if the text is to have their sizes too.
 *
 * @example
 * ```ts
 * import { dumpMempool, Mempool } from "../api.ts";
 *
 * const text = dumpMempool(Mempool.create(1000));
 * console.assert(text.startsWith("1000 mbufs: 1000 free to this thread, 0 in use"));
 * ```
 */
export function dumpMempool(pool: Mempool, mbufs?: Mbufs): string {
  const { handle, cache } = pool;
  const { producer, consumer } = positionsOf(pool);
  const lines = [
    `${handle.total} mbufs: ${pool.available} free to this thread, ` +
    `${pool.inUse} in use or in other caches`,
    `  free ring  ${(producer - consumer) >>> 0} of ${handle.ringSize} slots, ` +
    `producer at ${producer}, consumer at ${consumer}`,
    `  cache      ${cache.cached}, refilled to ${cache.size}, flushed above ${cache.flushThreshold}`,
  ];
  if (mbufs) {
    const { stride, room, count } = mbufs;
    lines.push(
      `  mbufs      ${count} of ${stride} bytes: headroom ${HEADROOM_BYTES}, ` +
        `data room ${room - HEADROOM_BYTES}, guard ${stride - room}`,
    );
  }
  if (pool instanceof CheckedMempool) lines.push(...heldLines(pool));
  return lines.join("\n") + "\n";
}

/** How many mbufs each user has, by the watch. */
function heldLines({ watch, handle }: CheckedMempool): string[] {
  const held = new Map<string, number>();
  for (let index = 0; index < handle.total; index++) {
    const { state, user } = watch.look(index);
    if (state !== "free") held.set(user, (held.get(user) ?? 0) + 1);
  }
  return [...held].map(([user, n]) => `  ${user} holds ${n}`);
}
