import { type CapturedFrame, type CaptureFile, LINKTYPE_ETHERNET } from "./capture.ts";
import { PCAP } from "./pcap.ts";
import { INTERFACE_OPTION, PCAPNG } from "./pcapng.ts";

/** Bytes that are written together, unless a frame is longer. */
const CHUNK_BYTES = 1 << 16;

/** The file says that frames of so many bytes may come. */
const SNAP_LENGTH = 262_144;

/** Ten to the power of minus nine seconds. */
const NANOSECONDS = 9;

/**
 * Writes a capture, in little-endian byte order and nanoseconds: pcapng with an interface for each
 * port, or pcap, which does not tell ports.
 */
export class CaptureWriter {
  readonly #file: Pick<CaptureFile, "writeSync">;
  #bytes = new Uint8Array(CHUNK_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #used = 0;

  /**
   * Begin a file.
   *
   * @param ports The names of the interfaces of a pcapng file; undefined for pcap.
   */
  constructor(file: Pick<CaptureFile, "writeSync">, private readonly ports?: readonly string[]) {
    this.#file = file;
    if (ports === undefined) {
      this.#words(PCAP.NANOSECONDS, 2 | 4 << 16, 0, 0, SNAP_LENGTH, LINKTYPE_ETHERNET);
      return;
    }
    this.#words(PCAPNG.SECTION, 28, PCAPNG.BYTE_ORDER, 1, 0xffffffff, 0xffffffff, 28);
    for (const port of ports) this.#describe(port);
  }

  /** Write a frame. */
  write({ bytes, wireBytes, port, time }: CapturedFrame): void {
    if (this.ports === undefined) {
      const second = 1_000_000_000n;
      this.#words(Number(time / second), Number(time % second), bytes.length, wireBytes);
      this.#put(bytes, bytes.length);
      return;
    }
    const padded = bytes.length + 3 & ~3;
    const length = 32 + padded;
    const [high, low] = [Number(time >> 32n), Number(time & 0xffffffffn)];
    this.#words(PCAPNG.ENHANCED_PACKET, length, port, high, low, bytes.length, wireBytes);
    this.#put(bytes, padded);
    this.#words(length);
  }

  /** Write what waits. */
  flush(): void {
    for (let at = 0; at < this.#used;) {
      at += this.#file.writeSync(this.#bytes.subarray(at, this.#used));
    }
    this.#used = 0;
  }

  #describe(name: string): void {
    const bytes = new TextEncoder().encode(name);
    const padded = bytes.length + 3 & ~3;
    const length = 16 + 4 + 4 + padded + 8 + 4;
    this.#words(PCAPNG.INTERFACE, length, LINKTYPE_ETHERNET, SNAP_LENGTH);
    this.#words(INTERFACE_OPTION.NAME | bytes.length << 16);
    this.#put(bytes, padded);
    this.#words(INTERFACE_OPTION.TIME_RESOLUTION | 1 << 16, NANOSECONDS);
    this.#words(INTERFACE_OPTION.END, length);
  }

  #words(...words: readonly number[]): void {
    this.#reserve(4 * words.length);
    for (const word of words) {
      this.#view.setUint32(this.#used, word, true);
      this.#used += 4;
    }
  }

  /** Bytes, and zeros up to `length`. */
  #put(bytes: Uint8Array, length: number): void {
    this.#reserve(length);
    this.#bytes.fill(0, this.#used, this.#used + length);
    this.#bytes.set(bytes, this.#used);
    this.#used += length;
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes <= this.#bytes.length) return;
    this.flush();
    if (bytes <= this.#bytes.length) return;
    this.#bytes = new Uint8Array(bytes);
    this.#view = new DataView(this.#bytes.buffer);
  }
}
