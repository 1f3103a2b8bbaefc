import {
  type CapturedFrame,
  type CaptureFile,
  type InterfaceCounts,
  LINKTYPE_ETHERNET,
} from "./capture.ts";
import { PCAP } from "./pcap.ts";
import {
  INTERFACE_OPTION,
  OPTION,
  PACKET_OPTION,
  PCAPNG,
  SECTION_OPTION,
  STATISTICS_OPTION,
} from "./pcapng.ts";

/** Bytes that are written together, unless a frame is longer. */
const CHUNK_BYTES = 1 << 18;

/** Blocks of at least so many bytes are not copied before they are written. */
const DIRECT_BYTES = 1 << 14;

/** The most bytes of a frame that a file announces by default. */
const SNAP_LENGTH = 262_144;

/** Ten to the power of minus nine seconds. */
const NANOSECONDS = 9;

const encoder = new TextEncoder();

/** An interface of a pcapng file. */
export interface DescribedInterface {
  /** Its name. */
  readonly name: string;
  /** What it is. */
  readonly about?: string;
}

/** What a pcapng file says at its beginning. */
export interface Description {
  /** The interfaces, by their numbers. */
  readonly interfaces: readonly DescribedInterface[];
  /** Bytes of a frame that are captured at most; of all interfaces, or tcpdump refuses the file. */
  readonly snapLength?: number;
  /** The program that writes it. */
  readonly program?: string;
}

/** An option of a block: code, and bytes. */
type BlockOption = readonly [code: number, bytes: Uint8Array];

/**
 * Writes a capture, in little-endian byte order and nanoseconds: pcapng with an interface for each
 * port, or pcap, which does not tell ports. Each write to the file ends with a whole block, so that
 * the file is readable if the program is killed.
 */
export class CaptureWriter {
  readonly #file: Pick<CaptureFile, "writeSync">;
  #bytes = new Uint8Array(CHUNK_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #used = 0;
  #written = 0;

  /**
   * Begin a file.
   *
   * @param description Of a pcapng file; undefined for pcap.
   * @param isBegun Whether another writer has begun the file: its frames stay.
   */
  constructor(
    file: Pick<CaptureFile, "writeSync">,
    private readonly description?: Description,
    isBegun = false,
  ) {
    this.#file = file;
    if (isBegun) return;
    if (description === undefined) {
      this.#words(PCAP.NANOSECONDS, 2 | 4 << 16, 0, 0, SNAP_LENGTH, LINKTYPE_ETHERNET);
      return;
    }
    const { program, interfaces, snapLength = SNAP_LENGTH } = description;
    const unknown = 0xffffffff; // bytes of the section
    this.#block(
      PCAPNG.SECTION,
      [PCAPNG.BYTE_ORDER, 1, unknown, unknown],
      program === undefined ? [] : [[SECTION_OPTION.PROGRAM, encoder.encode(program)]],
    );
    for (const { name, about } of interfaces) {
      this.#block(PCAPNG.INTERFACE, [LINKTYPE_ETHERNET, snapLength], [
        [INTERFACE_OPTION.NAME, encoder.encode(name)],
        ...about === undefined ? [] : [[INTERFACE_OPTION.ABOUT, encoder.encode(about)] as const],
        [INTERFACE_OPTION.TIME_RESOLUTION, Uint8Array.of(NANOSECONDS)],
      ]);
    }
  }

  /** Bytes that the file has, those in the buffer included. */
  get length(): number {
    return this.#written + this.#used;
  }

  /** Write a frame. */
  write({ bytes, wireBytes, port, time, flags, comment }: CapturedFrame): void {
    if (this.description === undefined) {
      const second = 1_000_000_000n;
      this.#reserve(16 + bytes.length);
      this.#words(Number(time / second), Number(time % second), bytes.length, wireBytes);
      this.#put(bytes, bytes.length);
      return;
    }
    const options: BlockOption[] = [];
    if (comment !== undefined) options.push([OPTION.COMMENT, encoder.encode(comment)]);
    if (flags !== undefined) options.push([PACKET_OPTION.FLAGS, u32(flags)]);
    const head = [port, ...halves(time), bytes.length, wireBytes];
    this.#block(PCAPNG.ENHANCED_PACKET, head, options, bytes);
  }

  /** Write blocks as they are; they may be in memory that is shared. */
  writeBlocks(blocks: Uint8Array): void {
    if (blocks.length >= DIRECT_BYTES) {
      this.flush();
      this.#writeAll(blocks);
      return;
    }
    this.#reserve(blocks.length);
    this.#bytes.set(blocks, this.#used);
    this.#used += blocks.length;
  }

  /**
   * Write the statistics of an interface.
   *
   * @param start When counting began, in nanoseconds since 1970.
   * @param end When counting ended.
   */
  writeCounts(counts: InterfaceCounts, start: bigint, end: bigint): void {
    const { port, received, lost, accepted, written } = counts;
    this.#block(PCAPNG.STATISTICS, [port, ...halves(end)], [
      [STATISTICS_OPTION.START, u32(...halves(start))],
      [STATISTICS_OPTION.END, u32(...halves(end))],
      [STATISTICS_OPTION.RECEIVED, u64(received)],
      [STATISTICS_OPTION.LOST, u64(lost)],
      [STATISTICS_OPTION.ACCEPTED, u64(accepted)],
      [STATISTICS_OPTION.WRITTEN, u64(written)],
    ]);
  }

  /** Write what is in the buffer. */
  flush(): void {
    this.#writeAll(this.#bytes.subarray(0, this.#used));
    this.#used = 0;
  }

  #writeAll(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
    this.#written += bytes.length;
  }

  /** Write a block of pcapng: some words, bytes filled up to whole words, options. */
  #block(
    type: number,
    head: readonly number[],
    options: readonly BlockOption[],
    bytes?: Uint8Array,
  ): void {
    const sizes = options.map(([, { length }]) => 4 + padded(length));
    const told = sizes.reduce((sum, size) => sum + size, sizes.length > 0 ? 4 : 0);
    const length = 12 + 4 * head.length + padded(bytes?.length ?? 0) + told;
    this.#reserve(length);
    this.#words(type, length, ...head);
    if (bytes) this.#put(bytes, padded(bytes.length));
    for (const [code, value] of options) {
      this.#words(code | value.length << 16);
      this.#put(value, padded(value.length));
    }
    if (options.length > 0) this.#words(OPTION.END);
    this.#words(length);
  }

  #words(...words: readonly number[]): void {
    for (const word of words) {
      this.#view.setUint32(this.#used, word, true);
      this.#used += 4;
    }
  }

  /** Bytes, and zeros up to `length`. */
  #put(bytes: Uint8Array, length: number): void {
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

function padded(length: number): number {
  return length + 3 & ~3;
}

/** Upper and lower half of a timestamp. */
function halves(time: bigint): [high: number, low: number] {
  return [Number(time >> 32n), Number(time & 0xffffffffn)];
}

/** Words as the bytes of an option. */
function u32(...words: number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * words.length));
  words.forEach((word, i) => view.setUint32(4 * i, word, true));
  return new Uint8Array(view.buffer);
}

function u64(value: number): Uint8Array {
  return u32(value % 2 ** 32, Math.floor(value / 2 ** 32));
}
