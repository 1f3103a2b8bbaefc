import { CulvertError } from "../../ffi/error.ts";
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
import { Mbufs } from "./mbuf.ts";
import { freeRingSize, Mempool } from "./mempool.ts";

/** A mempool in a region, and its mbufs. */
export interface SharedMempool {
  /** Allocates and frees; one a thread. */
  readonly pool: Mempool;
  /** The mbufs that the pool's descriptors speak of. */
  readonly mbufs: Mbufs;
}

/** How {@linkcode attachMempool} uses a mempool. */
export interface SharedMempoolUse {
  /**
   * Mbufs to keep back for this thread; 0 unless told, since those of a thread that dies without
   * `pool.close()` are lost to all.
   */
  readonly cacheSize?: number;
}

/** What {@linkcode addMempool} makes. */
export interface SharedMempoolOptions extends SharedMempoolUse {
  /** Mbufs, 1 to 2^24. */
  readonly count: number;
  /** Bytes of frame that an mbuf holds behind its headroom at least, up to 65535; 2240 unless told. */
  readonly dataRoom?: number;
}

const COUNT_MAX = DESCRIPTOR.INDEX_MASK + 1;

/** The longest frame that a descriptor can tell of. */
const DATA_ROOM_MAX = 0xffff;

/** Bytes of an mbuf with so much data room: an odd number of cache lines, as `MBUF_STRIDE_BYTES` is. */
function strideFor(dataRoom: number): number {
  return (Math.ceil((HEADROOM_BYTES + dataRoom) / 64) | 1) * 64;
}

/** Where the parts lie, in bytes from the memzone's start. */
function partsOf(count: number, stride: number): { ring: number; mbufs: number; bytes: number } {
  const ring = MEMPOOL.FREE_RING * 4;
  const end = ring + MpmcRing.bytes(freeRingSize(count));
  const mbufs = Math.ceil(end / LINE_BYTES) * LINE_BYTES;
  return { ring, mbufs, bytes: mbufs + count * stride };
}

/**
 * Add a mempool to a region that this process builds, free ring and all: every program that has the
 * region allocates and frees by itself (DPDK: `rte_ivshmem_metadata_add_mempool`). There may be several
 * in a region, with data rooms of their own.
 *
 * **Only for guests that are trusted.** There is no ledger: a guest that writes where it should not, or
 * frees what is not its own, spoils the mempool for all, and one that is killed or stopped half-way
 * through an allocation may block the others'. What a forwarder lends its guests never comes from such a
 * mempool. If a VM is emulated, let `checkAtomics()` see first that compare-and-swap works.
 *
 * Ports cannot send or receive these mbufs: the shim knows one set of mbufs a mapped memory, the
 * forwarder's.
 *
 * @throws {CulvertError} if the numbers make no mempool, the name is taken or too long, or there is no room.
 *
 * @example
 * ```ts
 * import { MappedMemory } from "../../ffi/mapped_memory.ts";
 * import { Region } from "../memory/region.ts";
 * import { MbufView } from "./mbuf.ts";
 * import { addMempool, attachMempool } from "./shared_mempool.ts";
 *
 * const memory = MappedMemory.ofProcess(1 << 20); // in earnest: a file, or a PCI device's BAR
 * const host = Region.build(memory, "r0");
 * const ours = addMempool(host, "small", { count: 100, dataRoom: 256 });
 * host.publish();
 *
 * const theirs = attachMempool(Region.attach(memory, "r0"), "small"); // the guest
 * const burst = new Uint32Array(2);
 * console.assert(theirs.pool.allocBulk(burst, 1) === 1 && ours.pool.available === 99);
 * const view = new MbufView(theirs.mbufs).moveTo(burst, 0);
 * console.assert(view.append(64));
 * view.bytes().fill(7);
 * ours.pool.free(burst, 1); // the host, which was handed the descriptor
 * console.assert(theirs.pool.available === 100);
 * memory.close();
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
  const stride = strideFor(dataRoom);
  const { ring, bytes } = partsOf(count, stride);
  region.addMemzone(name, ZONE_KIND.MEMPOOL, bytes, stride, ({ offset }) => {
    region.memory.u32[(offset >>> 2) + MEMPOOL.COUNT] = count;
    Mempool.fill(region.memory, offset + ring, count);
  });
  return attachMempool(region, name, options);
}

/**
 * Find a mempool by name, with a cache of this thread's own or none.
 *
 * @throws {CulvertError} if there is none of that name, or it does not fit its memzone. One that was added
 * after this side attached is found after `region.refresh()`.
 */
export function attachMempool(
  region: Region,
  name: string,
  { cacheSize = 0 }: SharedMempoolUse = {},
): SharedMempool {
  const { memory } = region;
  const { offset, size, parameter: stride } = region.zone(name, ZONE_KIND.MEMPOOL);
  // Read once: what is checked is what is used.
  const count = size < MEMPOOL.FREE_RING * 4 ? 0 : memory.u32[(offset >>> 2) + MEMPOOL.COUNT];
  const isSound = isWhole(count, COUNT_MAX) && stride > HEADROOM_BYTES && stride % 64 === 0 &&
    stride <= strideFor(DATA_ROOM_MAX) && partsOf(count, stride).bytes <= size;
  if (!isSound) {
    throw new CulvertError(
      `Cannot use mempool ${name} of region ${region.name} as its memzone has ${size} bytes for ` +
        `${count} mbufs of ${stride}: the directory is spoiled; let its host build the region again`,
    );
  }
  const parts = partsOf(count, stride);
  const ring = { offset: offset + parts.ring, ringSize: freeRingSize(count), total: count };
  return {
    pool: Mempool.attach({ memory: memory.handle, ...ring }, cacheSize),
    mbufs: new Mbufs(memory, { offset: offset + parts.mbufs, stride, count }, false),
  };
}

function isWhole(n: number, max: number): boolean {
  return Number.isInteger(n) && n >= 1 && n <= max;
}
