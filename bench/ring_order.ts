import type { MappedMemoryHandle } from "../ffi/mapped_memory.ts";

/** Which ring, and how it is used. */
export interface RingMode {
  /** How its ends agree: SP/SC is a `SpscRing`, the others an `MpmcRing`. */
  readonly mode: "spsc" | "mpmc" | "hts" | "rts";
  /** By copying from and to the caller's array, or in the ring's own slots. */
  readonly how: "bulk" | "zc";
  /** Bytes of an element. */
  readonly elementBytes: 4 | 8;
}

/** What one end of the ring benchmark is told. */
export interface RingOrder {
  readonly mode: RingMode;
  /** For a Worker; a process has a file. */
  readonly memory?: MappedMemoryHandle;
  readonly size: number;
  readonly core: number;
  readonly role: "producer" | "consumer" | "both";
  readonly burst: number;
  /** Elements in all, fewer than 2^32. */
  readonly elements: number;
  /** Pauses before a full or empty ring is looked at again. */
  readonly pauses: number;
}
