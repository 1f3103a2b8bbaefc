import { CulvertError } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import {
  DESCRIPTOR,
  HEADROOM_BYTES,
  LINE_BYTES,
  MBUF_STRIDE_BYTES,
  MEMPOOL,
  ZONE_KIND,
} from "../memory/layout.ts";
import type { Region } from "../memory/region.ts";
import { MpmcRing } from "../ring/mpmc_ring.ts";
import { CheckedMempool, type CheckedOptions } from "../mempool/checked_mempool.ts";
import { Frames } from "./frames.ts";
import { GUARD_BYTES, Guards } from "../mempool/guards.ts";
import { type MbufGeometry, Mbufs } from "../mempool/mbuf.ts";
import { MbufMetadata } from "./mbuf_metadata.ts";
import { Mempool } from "../mempool/mempool.ts";
import { fillFreeRing, freeRingSize } from "../mempool/free_ring.ts";
import { MempoolWatch } from "../mempool/mempool_watch.ts";

/** A mempool in a region, and its mbufs. */
export interface SharedMempool {
  /**
   * Allocates and frees mbufs; each thread has one of its own. A `CheckedMempool` if it was added
   * for debugging.
   */
  readonly pool: Mempool;
  /** The mbufs of the pool's descriptors. */
  readonly mbufs: Mbufs;
  /** Frames of several segments, or with several references. */
  readonly frames: Frames;
}

/**
 * How {@linkcode attachMempool} uses a mempool: `cacheSize` and `flushThreshold`, and for debugging
 * `user` and `onProblem`. The `cacheSize` is 0 by default: the mbufs in the cache of a thread that
 * dies without `pool.close()` are lost to all.
 */
export type SharedMempoolUse = Omit<CheckedOptions, "mbufs">;

/** What {@linkcode addMempool} makes. */
export interface SharedMempoolOptions extends SharedMempoolUse {
  /** Mbufs, 1 to 2^24. */
  readonly count: number;
  /**
   * Bytes of frame that an mbuf holds behind its headroom at least, up to 65280; 2240 by default.
   */
  readonly dataRoom?: number;
  /**
   * For debugging: all programs that attach check each mbuf that they allocate or free, and the
   * guards around it; see `CheckedMempool`. False by default.
   */
  readonly debug?: boolean;
}

/** How many mempools for debugging a region may have: see `CheckedMempool`. */
const NUMBER_MAX = 15;

let added = 0;

const COUNT_MAX = DESCRIPTOR.INDEX_MASK + 1;

/** With headroom and guards an mbuf has at most 65535 bytes, which a descriptor can address. */
const DATA_ROOM_MAX = 65280;

/**
 * Bytes of an mbuf with so much data room: an odd number of cache lines, as `MBUF_STRIDE_BYTES` is.
 */
function strideFor(dataRoom: number, guard: number): number {
  return (Math.ceil((HEADROOM_BYTES + dataRoom + guard) / 64) | 1) * 64;
}

/** Where the parts lie, in bytes from the memzone's start. */
function partsOf(count: number, stride: number, guard: number) {
  const nextLine = (bytes: number) => Math.ceil(bytes / LINE_BYTES) * LINE_BYTES;
  const ring = MEMPOOL.FREE_RING * 4;
  const mbufs = nextLine(ring + MpmcRing.bytes(freeRingSize(count))) + guard;
  const metadata = nextLine(mbufs + count * stride);
  const watch = nextLine(metadata + MbufMetadata.bytes(count));
  return { ring, mbufs, metadata, watch, bytes: guard ? watch + MempoolWatch.bytes(count) : watch };
}

/**
 * Add a mempool with its free ring to a region that this process builds: every program that
 * attaches to the region allocates and frees by itself (DPDK `rte_ivshmem_metadata_add_mempool`).
 * There may be several in a region, with different data rooms.
 *
 * **Only for guests that are trusted.** There is no ledger. A guest that writes where it must not,
 * or frees what is not its own, corrupts the mempool for all; a guest that is killed or stopped in
 * the middle of an allocation may block the others. A forwarder never lends from such a mempool. If
 * a VM is emulated, let `checkAtomics()` check first that compare-and-swap works.
 *
 * Ports cannot send or receive these mbufs: the shim knows one set of mbufs in each mapped memory,
 * the forwarder's.
 *
 * @throws {CulvertError} if `count` or `dataRoom` is out of range, the name is taken or too long,
 * or there is no room.
 *
 * @example
 * ```ts
 * import { addMempool, attachMempool, Burst, MappedMemory, MbufView, Region } from "../api.ts";
 *
 * const memory = MappedMemory.ofProcess(1 << 20); // say, a file, or a PCI device's BAR
 * const host = Region.build(memory, "r0");
 * const ours = addMempool(host, "small", { count: 100, dataRoom: 256 });
 * host.publish();
 *
 * const theirs = attachMempool(Region.attach(memory, "r0"), "small"); // the guest
 * const burst = Burst.of(1);
 * console.assert(theirs.pool.allocBulk(burst, 1) === 1 && ours.pool.available === 99);
 * const view = new MbufView(theirs.mbufs).moveTo(burst, 0);
 * console.assert(view.append(64));
 * view.bytes().fill(7);
 * ours.pool.free(burst, 1); // the host, to which the guest gave the descriptor
 * console.assert(theirs.pool.available === 100);
 * memory.close();
 * ```
 *
 * @example
 * Two with data rooms of their own, for short and for long frames:
 * ```ts
 * import { addMempool, Burst, MappedMemory, Region } from "../api.ts";
 *
 * const region = Region.build(MappedMemory.ofProcess(4 << 20), "r0");
 * const short = addMempool(region, "short", { count: 1000, dataRoom: 256 });
 * const long = addMempool(region, "long", { count: 100, dataRoom: 9018 });
 * const poolFor = (bytes: number) => bytes <= 256 ? short : long;
 * const burst = Burst.of(1);
 * console.assert(poolFor(9000).pool.allocBulk(burst, 1) === 1);
 * console.assert(short.mbufs.room >= 128 + 256 && long.mbufs.room >= 128 + 9018);
 * console.assert(short.pool.available === 1000 && long.pool.available === 99);
 * long.pool.free(burst, 1); // to the mempool that it came from
 * ```
 *
 * @example
 * One for debugging, which finds a write behind the data room:
 * ```ts
 * import { addMempool, Burst, MappedMemory, Region } from "../api.ts";
 *
 * const region = Region.build(MappedMemory.ofProcess(1 << 20), "r0");
 * const found: string[] = [];
 * const { pool, mbufs } = addMempool(region, "small", {
 *   count: 100,
 *   dataRoom: 256,
 *   debug: true,
 *   user: "rx",
 *   onProblem: ({ kind, index, last }) => found.push(`${kind} of ${index}: ${last?.user}`),
 * });
 * const burst = Burst.of(1);
 * pool.allocBulk(burst, 1);
 * mbufs.u8[mbufs.frameByte(burst.words[0], mbufs.room)] = 0; // one byte too far
 * pool.free(burst, 1);
 * console.assert(found.join() === "overrun of 0: rx");
 * ```
 */
export function addMempool(
  region: Region,
  name: string,
  options: SharedMempoolOptions,
): SharedMempool {
  const { count, dataRoom = MBUF_STRIDE_BYTES - HEADROOM_BYTES } = options;
  const refuse = (found: string, wanted: string) =>
    new CulvertError(`Cannot add mempool ${name} to region ${region.name} as ${found}: ${wanted}`);
  if (!isWhole(count, COUNT_MAX)) {
    throw refuse(`it is to have ${count} mbufs`, `1 to ${COUNT_MAX} are possible`);
  }
  if (!isWhole(dataRoom, DATA_ROOM_MAX)) {
    throw refuse(`its data room is to be ${dataRoom} bytes`, `1 to ${DATA_ROOM_MAX} are possible`);
  }
  const guard = options.debug ? GUARD_BYTES : 0;
  const stride = strideFor(dataRoom, guard);
  const { ring, mbufs, watch, bytes } = partsOf(count, stride, guard);
  region.addMemzone(name, ZONE_KIND.MEMPOOL, bytes, stride, ({ offset }) => {
    const { memory } = region;
    memory.u32[(offset >>> 2) + MEMPOOL.COUNT] = count;
    fillFreeRing(memory, offset + ring, count);
    if (guard === 0) return;
    memory.u32[(offset >>> 2) + MEMPOOL.GUARD] = guard;
    memory.u32[(offset >>> 2) + MEMPOOL.NUMBER] = newNumber(region);
    new Guards(mbufsAt(memory, { offset: offset + mbufs, stride, count, guard })).fill();
    MempoolWatch.fill(memory, offset + watch, count);
  });
  return attachMempool(region, name, options);
}

/**
 * Find a mempool by name, with a cache of this thread's own or none.
 *
 * @throws {CulvertError} if there is none of that name, or it does not fit its memzone. One that
 * was added after this side attached is found after `region.refresh()`.
 *
 * @example
 * ```ts
 * import { addMempool, attachMempool, MappedMemory, Region } from "../api.ts";
 *
 * const memory = MappedMemory.ofProcess(1 << 20);
 * const host = Region.build(memory, "r0");
 * addMempool(host, "mbufs", { count: 100 });
 * host.publish();
 * const { pool, mbufs } = attachMempool(Region.attach(memory, "r0"), "mbufs", { cacheSize: 16 });
 * console.assert(pool.available === 100 && mbufs.count === 100);
 * console.assert(!mbufs.isForPorts && pool.cache.size === 16);
 * ```
 */
export function attachMempool(
  region: Region,
  name: string,
  use: SharedMempoolUse = {},
): SharedMempool {
  const { memory } = region;
  const { offset, size, parameter: stride } = region.zone(name, ZONE_KIND.MEMPOOL);
  // Read once: what is checked is what is used.
  const [count, guard, number] = size < MEMPOOL.FREE_RING * 4
    ? [0, 0, 0]
    : [MEMPOOL.COUNT, MEMPOOL.GUARD, MEMPOOL.NUMBER].map((word) =>
      memory.u32[(offset >>> 2) + word]
    );
  const isSound = isWhole(count, COUNT_MAX) && (guard === 0 || guard === GUARD_BYTES) &&
    (guard === 0 || isWhole(number, NUMBER_MAX)) && stride > HEADROOM_BYTES + guard &&
    stride % 64 === 0 &&
    stride <= strideFor(DATA_ROOM_MAX, guard) && partsOf(count, stride, guard).bytes <= size;
  if (!isSound) {
    throw new CulvertError(
      `Cannot use mempool ${name} of region ${region.name} as its memzone has ${size} bytes for ` +
        `${count} mbufs of ${stride}: the directory is spoiled; let its host build the region again`,
    );
  }
  const parts = partsOf(count, stride, guard);
  const zone = { memory: memory.handle, offset: offset + parts.ring };
  const free = { ...zone, ringSize: freeRingSize(count), total: count };
  const mbufs = mbufsAt(memory, { offset: offset + parts.mbufs, stride, count, guard });
  const watch = { ...zone, offset: offset + parts.watch, count };
  const options = { cacheSize: 0, ...use };
  const pool = guard === 0
    ? Mempool.attach(free, options)
    : CheckedMempool.attach({ ...free, watch, number }, { ...options, mbufs });
  const metadata = new MbufMetadata({ ...zone, offset: offset + parts.metadata, count });
  return { pool, mbufs, frames: new Frames(pool, mbufs, metadata) };
}

/** A number that no other mempool of the region has, nor the last ones added to other regions. */
function newNumber({ zones, memory }: Region): number {
  const taken = zones.filter(({ kind }) => kind === ZONE_KIND.MEMPOOL)
    .map(({ offset }) => memory.u32[(offset >>> 2) + MEMPOOL.NUMBER]);
  let number = 0;
  for (let tries = 0; tries < NUMBER_MAX; tries++) {
    number = 1 + added++ % NUMBER_MAX;
    if (!taken.includes(number)) break;
  }
  return number;
}

/** Mbufs that no port uses. */
function mbufsAt(memory: MappedMemory, geometry: MbufGeometry): Mbufs {
  return new Mbufs(memory, geometry, false);
}

function isWhole(n: number, max: number): boolean {
  return Number.isInteger(n) && n >= 1 && n <= max;
}
