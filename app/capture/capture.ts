import { CulvertError } from "../../ffi/error.ts";

/** The link type Ethernet (https://www.tcpdump.org/linktypes.html). */
export const LINKTYPE_ETHERNET = 1;

/** A frame of a capture. */
export interface CapturedFrame {
  /** Its bytes, as far as the capture has them. */
  readonly bytes: Uint8Array;
  /** Bytes that it had on the wire. */
  readonly wireBytes: number;
  /** The number of the interface that it came by, from 0; a pcap file has one interface. */
  readonly port: number;
  /** The time, in nanoseconds since 1970. */
  readonly time: bigint;
  /** Its epb_flags, in pcapng: bits 0 and 1 tell the direction, 1 inbound, 2 outbound. */
  readonly flags?: number;
  /** Its comment, in pcapng. */
  readonly comment?: string;
}

/** What is counted of an interface of a pcapng file. */
export interface InterfaceCounts {
  /** The interface's number. */
  readonly port: number;
  /** Frames that came by there. */
  readonly received: number;
  /** How many of these were lost, as there was no room for them. */
  readonly lost: number;
  /** Frames that the filter let through. */
  readonly accepted: number;
  /** Frames that were written. */
  readonly written: number;
}

/** Where captures are read from, or written to: an open file. */
export interface CaptureFile {
  /** Read some bytes; null at the end. */
  readSync(bytes: Uint8Array): number | null;
  /** Write some bytes; returns how many. */
  writeSync(bytes: Uint8Array): number;
}

/** Bytes that are read at a time. */
const CHUNK_BYTES = 1 << 16;

/** No frame or block has more bytes: a longer one is a sign that the file is damaged. */
const BYTES_MAX = 1 << 24;

/** Reads the bytes of a file in order, a chunk at a time. */
export class CaptureBytes {
  readonly #file: Pick<CaptureFile, "readSync">;
  #buffer = new Uint8Array(CHUNK_BYTES);
  #start = 0;
  #end = 0;
  #offset = 0;

  /** The file is open, and at its start. `name` is for messages. */
  constructor(file: Pick<CaptureFile, "readSync">, readonly name: string) {
    this.#file = file;
  }

  /** Whether there is nothing more. */
  isAtEnd(): boolean {
    return !this.#fill(1);
  }

  /** Whether there are so many bytes more. */
  has(bytes: number): boolean {
    return this.#fill(bytes);
  }

  /**
   * Take the next `bytes` of the file, as a view that is valid until the next call.
   *
   * @throws {CulvertError} if the file ends before that, or so many bytes are impossible.
   */
  take(bytes: number, what: string): DataView {
    if (bytes < 0 || bytes > BYTES_MAX) this.refuse(`${what} has ${bytes} bytes there`);
    if (!this.#fill(bytes)) {
      throw new CulvertError(
        `Cannot read capture ${this.name} to its end as it ends in the middle of ${what}, at ` +
          `byte ${
            this.#offset + this.#end - this.#start
          }: it was cut off; all frames before are read`,
      );
    }
    const view = new DataView(this.#buffer.buffer, this.#start, bytes);
    this.#start += bytes;
    this.#offset += bytes;
    return view;
  }

  /** Say that the capture is damaged, and where. */
  refuse(found: string): never {
    throw new CulvertError(
      `Cannot read capture ${this.name} as ${found}, at byte ${this.#offset}: it is damaged`,
    );
  }

  #fill(bytes: number): boolean {
    if (this.#end - this.#start >= bytes) return true;
    const old = this.#buffer;
    if (bytes > old.length) this.#buffer = new Uint8Array(bytes);
    this.#buffer.set(old.subarray(this.#start, this.#end));
    [this.#start, this.#end] = [0, this.#end - this.#start];
    while (this.#end < bytes) {
      const n = this.#file.readSync(this.#buffer.subarray(this.#end));
      if (!n) return false;
      this.#end += n;
    }
    return true;
  }
}

/**
 * Refuse a capture whose frames are of another kind of link.
 *
 * @throws {CulvertError} always.
 */
export function refuseLinkType(name: string, linkType: number): never {
  const known = LINK_TYPES[linkType];
  throw new CulvertError(
    `Cannot use capture ${name} as its frames are of link type ${linkType}` +
      `${known === undefined ? "" : ` (${known})`}: Ethernet (1) is wanted` +
      (linkType === 113 || linkType === 276 ? "; capture at one interface, not at any" : ""),
  );
}

/** Names of other link types that captures often have. */
const LINK_TYPES: Readonly<Record<number, string>> = {
  0: "loopback of BSD",
  101: "raw IP",
  105: "IEEE 802.11",
  113: "Linux cooked capture",
  127: "IEEE 802.11 with radiotap",
  276: "Linux cooked capture, version 2",
};
