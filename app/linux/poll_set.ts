import { check } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";

/** poll(2): something can be read, or the other side is gone. */
export const READABLE = 1;
/** poll(2): something can be written. */
export const WRITABLE = 4;

/** `struct pollfd`: an int32 descriptor, what is waited for, what has happened. */
const POLLFD = { BYTES: 8, FD: 0, EVENTS: 2, HAPPENED: 3 } as const;

/** Descriptors that are waited for off the main thread, so that signals and timers go on. */
export class PollSet {
  #bytes = new Uint8Array(64 * POLLFD.BYTES);
  #int32 = new Int32Array(this.#bytes.buffer);
  #int16 = new Int16Array(this.#bytes.buffer);
  #count = 0;

  /** Begin anew, with none. */
  clear(): void {
    this.#count = 0;
  }

  /**
   * Wait for `events` on a descriptor too.
   *
   * @returns its place, for {@linkcode happened}.
   */
  add(fd: number, events: number): number {
    if (this.#count * POLLFD.BYTES === this.#bytes.length) this.#grow();
    const place = this.#count++;
    this.#int32[place * 2 + POLLFD.FD] = fd;
    this.#int16[place * 4 + POLLFD.EVENTS] = events;
    this.#int16[place * 4 + POLLFD.HAPPENED] = 0;
    return place;
  }

  /** Whether anything has happened at a place: what was waited for, an error or a hang-up. */
  happened(place: number): boolean {
    return this.#int16[place * 4 + POLLFD.HAPPENED] !== 0;
  }

  /**
   * Wait until something happens, or for `milliseconds` (Infinity: as long as it takes).
   *
   * @throws {ShimError} if the kernel refuses.
   */
  async wait(milliseconds: number): Promise<void> {
    const limit = Math.min(Math.ceil(milliseconds), 2 ** 31 - 1);
    const timeout = milliseconds === Infinity ? -1 : Math.max(limit, 0);
    check(await shim.shim_poll_events(this.#bytes, this.#count, timeout), "wait for sockets");
  }

  #grow(): void {
    const bytes = new Uint8Array(2 * this.#bytes.length);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    this.#int32 = new Int32Array(bytes.buffer);
    this.#int16 = new Int16Array(bytes.buffer);
  }
}
