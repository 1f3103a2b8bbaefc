import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { BURST_MAX } from "../ring/burst.ts";

/** Words of `struct rx_meta` in shim/burst.h: what the kernel says of a received frame. */
export const RX_META = { LENGTH: 0, VLAN: 1, OFFLOAD: 2, CHECKSUM: 3, WORDS: 4 } as const;

/** `SHIM_OVERFLOW` in shim/burst.h: bytes for what a frame has beyond its mbuf's room. */
export const OVERFLOW_BYTES = 1 << 18;

/** Where `overflow` begins in `struct rx_room` in shim/burst.h, in bytes. */
const OVERFLOW_START = BURST_MAX * RX_META.WORDS * 4;

/**
 * `struct rx_room` in shim/burst.h: what comes with each frame of a received burst, beside its
 * mbuf.
 */
export class RxRoom {
  /** {@linkcode RX_META} of each frame. */
  readonly meta: Uint32Array;
  /** The shim's number of the memory. */
  readonly map: number;
  readonly #memory: MappedMemory;

  /** Room for bursts of up to `frames`. */
  constructor(frames: number) {
    this.#memory = MappedMemory.ofProcess(OVERFLOW_START + frames * OVERFLOW_BYTES);
    this.meta = this.#memory.u32;
    this.map = this.#memory.map;
  }

  /** Where the {@linkcode OVERFLOW_BYTES} of a frame begin, in bytes. */
  overflowByte(frame: number): number {
    return OVERFLOW_START + frame * OVERFLOW_BYTES;
  }

  /** Give the memory back. */
  close(): void {
    this.#memory.close();
  }
}
