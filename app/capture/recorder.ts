import type { InterfaceCounts } from "./capture.ts";
import type { CaptureWriter } from "./capture_writer.ts";
import type { Filter } from "./bpf.ts";
import { flagsWord, RECORD } from "./record.ts";

/** What is to be recorded. */
export interface RecorderOptions {
  /** The area's numbers of the ports that are captured, in the order of the interfaces. */
  readonly ports: readonly number[];
  /** Bytes of a frame. */
  readonly snap: number;
  /** Lets frames through; all if left out. */
  readonly filter?: Filter;
  /** Frames to be recorded before the capture ends. */
  readonly count: number;
  /** Frames a second at most. */
  readonly rate: number;
  /** The comment of a frame that is dropped for this reason. */
  readonly reasonText: (reason: number) => string;
}

/** Chooses among records, and writes those that are wanted: whole runs of them at a time. */
export class Recorder {
  readonly #options: RecorderOptions;
  /** Interfaces by the area's numbers of their ports; -1 for ports that are not captured. */
  readonly #interfaces: Int32Array;
  readonly #accepted: Float64Array;
  readonly #written: Float64Array;
  readonly #u8: Uint8Array;
  #left: number;
  #second = 0;
  #inSecond = 0;
  /** The run of records that is yet to be written, in words. */
  #from = 0;
  #to = 0;

  /**
   * Nothing is recorded yet.
   *
   * @param bytes The memory of the records.
   * @param writer Gets the records.
   */
  constructor(
    options: RecorderOptions,
    bytes: Uint8Array,
    private readonly writer: Pick<CaptureWriter, "write" | "writeBlocks">,
  ) {
    this.#options = options;
    this.#u8 = bytes;
    this.#left = options.count;
    this.#interfaces = new Int32Array(Math.max(...options.ports) + 1).fill(-1);
    options.ports.forEach((port, at) => this.#interfaces[port] = at);
    this.#accepted = new Float64Array(options.ports.length);
    this.#written = new Float64Array(options.ports.length);
  }

  /** Whether as many frames are recorded as were wanted. */
  get isFull(): boolean {
    return this.#left <= 0;
  }

  /** Frames that the filter has let through, and that were written, of an interface. */
  counted(at: number): Pick<InterfaceCounts, "accepted" | "written"> {
    return { accepted: this.#accepted[at], written: this.#written[at] };
  }

  /** Record the frame whose record begins at word `at` and has `length` bytes, if it is wanted. */
  visit(words: Uint32Array, at: number, length: number): void {
    const { filter, snap, rate } = this.#options;
    const port = this.#interfaces[words[at + RECORD.PORT]];
    if (this.#left <= 0 || !(port >= 0)) return;
    const captured = words[at + RECORD.CAPTURED];
    const byte = (at + RECORD.BYTES) << 2;
    if (filter && filter(this.#u8, byte, captured, words[at + RECORD.WIRE]) === 0) return;
    this.#accepted[port]++;
    if (rate !== Infinity && !this.#mayPass(words, at)) return;
    this.#written[port]++;
    this.#left--;
    const flags = words[flagsWord(at, length)];
    if (flags >>> 16 !== 0 || captured > snap) this.#rewrite(words, at, port, flags);
    else this.#append(words, at, port, length);
  }

  /** Write the records that are yet to be written: lcores may write over them after that. */
  settle(): void {
    if (this.#from < this.#to) {
      this.writer.writeBlocks(this.#u8.subarray(this.#from << 2, this.#to << 2));
    }
    this.#from = this.#to = 0;
  }

  #append(words: Uint32Array, at: number, port: number, length: number): void {
    words[at + RECORD.PORT] = port; // from the number in the area to that in the file
    if (at !== this.#to) {
      this.settle();
      this.#from = at;
    }
    this.#to = at + (length >>> 2);
  }

  #rewrite(words: Uint32Array, at: number, port: number, flags: number): void {
    const { snap, reasonText } = this.#options;
    const byte = (at + RECORD.BYTES) << 2;
    const reason = flags >>> 16;
    this.settle();
    this.writer.write({
      bytes: this.#u8.subarray(byte, byte + Math.min(snap, words[at + RECORD.CAPTURED])),
      wireBytes: words[at + RECORD.WIRE],
      port,
      time: BigInt(words[at + RECORD.TIME_HIGH]) << 32n | BigInt(words[at + RECORD.TIME_LOW]),
      flags: flags & 0xffff,
      ...reason === 0 ? {} : { comment: reasonText(reason) },
    });
  }

  /** Whether `rate` has room for this frame in its second. */
  #mayPass(words: Uint32Array, at: number): boolean {
    const time = words[at + RECORD.TIME_HIGH] * 2 ** 32 + words[at + RECORD.TIME_LOW];
    const second = Math.floor(time / 1e9);
    if (second !== this.#second) [this.#second, this.#inSecond] = [second, 0];
    return this.#inSecond++ < this.#options.rate;
  }
}
