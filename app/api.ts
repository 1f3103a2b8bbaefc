/**
 * Culvert as a library: regions that host and VMs share, and what is in them by name: memzones,
 * rings, mempools. What DPDK's ivshmem library did with a VM's metadata file, the region's own
 * directory does.
 *
 * The same calls serve on the host, in another process, and in a VM (`culvert qemu --app FILE`).
 *
 * @example
 * ```ts
 * import { addMempool, addMemzone, addRing, attachMempool, attachMemzone } from "./api.ts";
 * import { attachRegion, attachRing, Burst, hostRegion, MbufView } from "./api.ts";
 *
 * const path = `/tmp/culvert-example-${Deno.pid}`; // in a program: "/dev/shm/r0", or just "r0"
 * const text = new TextEncoder().encode("vlan 7");
 *
 * using host = await hostRegion(path, 1 << 20);
 * addMemzone(host.region, "config", 64, (zone) => zone.u8.set(text));
 * addRing(host.region, "frames", 256, { kind: "spsc" });
 * const mine = addMempool(host.region, "mbufs", { count: 100 }); // for guests that are trusted
 * host.region.publish();
 *
 * using guest = attachRegion(path); // in a VM: attachDevice()
 * console.assert(attachMemzone(guest.region, "config").text() === "vlan 7");
 * const { pool, mbufs } = attachMempool(guest.region, "mbufs");
 * const burst = Burst.of(32);
 * pool.allocBulk(burst, 32);
 * const view = new MbufView(mbufs);
 * for (let i = 0; i < 32; i++) console.assert(view.moveTo(burst, i).append(60));
 * const frames = attachRing(guest.region, "frames", { kind: "spsc" });
 * console.assert(frames.enqueueBurst(burst, 32) === 32);
 *
 * const received = Burst.of(64);
 * const n = attachRing(host.region, "frames", { kind: "spsc" }).dequeueBurst(received, 64);
 * mine.pool.free(received, n);
 * console.assert(n === 32 && pool.available === 100);
 * ```
 *
 * @module
 */
export { CulvertError, ShimError, UsageError } from "../ffi/error.ts";
export { MappedMemory, type MappedMemoryHandle } from "../ffi/mapped_memory.ts";
export {
  atomicsCheckBytes,
  type AtomicsCheckOptions,
  checkAtomics,
} from "./toolkit/atomics_check.ts";
export { type IvshmemDevice, ivshmemDevices } from "./linux/pci.ts";
export { addMemzone, attachMemzone, RawMemzone } from "./toolkit/raw_memzone.ts";
export { Region } from "./memory/region.ts";
export type { Memzone } from "./memory/zone.ts";
export {
  CheckedMempool,
  type CheckedMempoolHandle,
  type CheckedOptions,
} from "./mempool/checked_mempool.ts";
export { Frames } from "./toolkit/frames.ts";
export { dataWord, type MbufGeometry, Mbufs, MbufView } from "./mempool/mbuf.ts";
export { MbufMetadata, type MbufMetadataHandle } from "./toolkit/mbuf_metadata.ts";
export { Mempool } from "./mempool/mempool.ts";
export type { MempoolHandle } from "./mempool/mempool_handle.ts";
export type { CacheOptions } from "./mempool/cache_options.ts";
export type { MempoolProblem } from "./mempool/mempool_problem.ts";
export { auditMempool, dumpMempool } from "./toolkit/mempool_audit.ts";
export {
  MempoolWatch,
  type MempoolWatchHandle,
  type WatchedMbuf,
} from "./mempool/mempool_watch.ts";
export {
  addMempool,
  attachMempool,
  type SharedMempool,
  type SharedMempoolOptions,
  type SharedMempoolUse,
} from "./toolkit/shared_mempool.ts";
export {
  attachDevice,
  attachRegion,
  hostRegion,
  type OpenedRegion,
} from "./toolkit/open_region.ts";
export { Burst } from "./ring/burst.ts";
export { MpmcRing } from "./ring/mpmc_ring.ts";
export type { RingShape } from "./ring/ring.ts";
export type { MpmcShape, Sharing } from "./ring/sharing.ts";
export {
  addRing,
  attachRing,
  listRings,
  type MpmcOptions,
  type NamedRing,
  type RingOptions,
  type SpscOptions,
} from "./toolkit/named_ring.ts";
export { type ElementBytes, slotsFor } from "./ring/ring_size.ts";
export { SpscRing } from "./ring/spsc_ring.ts";
