import type { MappedMemoryHandle } from "../../ffi/mapped_memory.ts";

/** What a Worker needs to use a mempool; survives `postMessage`. */
export interface MempoolHandle {
  /** The free ring's memory: private to the host's process, or a region's. */
  readonly memory: MappedMemoryHandle;
  /** Where the free ring begins in it, in bytes. */
  readonly offset: number;
  /** Slots of the free ring. */
  readonly ringSize: number;
  /** How many mbufs there are, long ones not counted. */
  readonly total: number;
  /** The mempool of the long ones, if there are any: their indexes are `total` and above. */
  readonly long?: MempoolHandle;
}
