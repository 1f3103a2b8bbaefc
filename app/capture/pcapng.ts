import {
  type CaptureBytes,
  type CapturedFrame,
  LINKTYPE_ETHERNET,
  refuseLinkType,
} from "./capture.ts";

/**
 * A pcapng file (draft-ietf-opsawg-pcapng): blocks, each of which begins with its type and length,
 * and ends with its length again. Sections begin with a header that tells the byte order; in each,
 * interfaces are numbered from 0 by the order of their descriptions.
 */
export const PCAPNG = {
  SECTION: 0x0a0d0d0a,
  INTERFACE: 1,
  /** Obsolete. */
  PACKET: 2,
  SIMPLE_PACKET: 3,
  STATISTICS: 5,
  ENHANCED_PACKET: 6,
  BYTE_ORDER: 0x1a2b3c4d,
} as const;

/** Ends a list of options; and what any block may have. */
export const OPTION = { END: 0, COMMENT: 1 } as const;

/** Options of a section's header. */
export const SECTION_OPTION = { PROGRAM: 4 } as const;

/** Options of an interface's description. */
export const INTERFACE_OPTION = {
  NAME: 2,
  ABOUT: 3,
  TIME_RESOLUTION: 9,
  TIME_OFFSET: 14,
} as const;

/** Options of an interface's statistics: times, and numbers of 64 bits. */
export const STATISTICS_OPTION = {
  START: 2,
  END: 3,
  RECEIVED: 4,
  LOST: 5,
  ACCEPTED: 6,
  WRITTEN: 8,
} as const;

/** Options of a packet. */
export const PACKET_OPTION = { FLAGS: 2 } as const;

/** Bytes of type and both lengths. */
const FRAMING_BYTES = 12;

interface Interface {
  readonly linkType: number;
  readonly snapLength: number;
  /** Nanoseconds since 1970 of a timestamp. */
  readonly timeOf: (high: number, low: number) => bigint;
}

/** Whether a file begins as a pcapng file does. */
export function isPcapng(start: DataView): boolean {
  return start.getUint32(0) === PCAPNG.SECTION;
}

/** Reads the frames of a pcapng file, and counts its interfaces. */
export class PcapngReader {
  #interfaces: Interface[] = [];
  #most = 0;
  #little = true;

  /** The first four bytes of the file are read already. */
  constructor(private readonly bytes: CaptureBytes) {}

  /** Interfaces that a section has described so far. */
  get interfaces(): number {
    return this.#most;
  }

  /**
   * The frames.
   *
   * @throws {CulvertError} if the file is cut off or damaged, or a frame is not of Ethernet.
   */
  *frames(): Generator<CapturedFrame> {
    this.#beginSection();
    while (!this.bytes.isAtEnd()) {
      const type = this.bytes.take(4, "a block").getUint32(0, this.#little);
      if (type === PCAPNG.SECTION) {
        this.#beginSection();
        continue;
      }
      const block = this.#body(this.bytes.take(4, "a block").getUint32(0, this.#little));
      if (type === PCAPNG.INTERFACE) this.#addInterface(block);
      const frame = this.#frameOf(type, block);
      if (frame) yield frame;
    }
  }

  /** The header of a section: its length is read by the byte order that comes behind it. */
  #beginSection(): void {
    const start = this.bytes.take(8, "a section's header");
    this.#little = start.getUint32(4, true) === PCAPNG.BYTE_ORDER;
    if (!this.#little && start.getUint32(4) !== PCAPNG.BYTE_ORDER) {
      this.bytes.refuse("a section has no byte order");
    }
    this.#interfaces = [];
    this.#body(start.getUint32(0, this.#little), 4);
  }

  /**
   * The content of a block of `length` bytes, of which `read` bytes beside type and length are
   * read.
   */
  #body(length: number, read = 0): DataView {
    const rest = length - FRAMING_BYTES - read;
    if (rest < 0 || length % 4 !== 0) this.bytes.refuse(`a block has ${length} bytes`);
    const block = this.bytes.take(rest + 4, "a block");
    if (block.getUint32(rest, this.#little) !== length) {
      this.bytes.refuse("a block has two lengths that differ");
    }
    return new DataView(block.buffer, block.byteOffset, rest);
  }

  #addInterface(block: DataView): void {
    this.#need(block, 8);
    let [resolution, offset] = [6, 0n];
    for (const { code, at, length } of this.#options(block, 8)) {
      if (code === INTERFACE_OPTION.TIME_RESOLUTION && length === 1) {
        resolution = block.getUint8(at);
      } else if (code === INTERFACE_OPTION.TIME_OFFSET && length === 8) {
        offset = block.getBigInt64(at, this.#little);
      }
    }
    this.#interfaces.push({
      linkType: block.getUint16(0, this.#little),
      snapLength: block.getUint32(4, this.#little),
      timeOf: timeBy(resolution, offset),
    });
    this.#most = Math.max(this.#most, this.#interfaces.length);
  }

  /** The options of a block, from byte `at` on, as far as they lie in it. */
  *#options(block: DataView, at: number): Generator<{ code: number; at: number; length: number }> {
    while (at + 4 <= block.byteLength) {
      const code = block.getUint16(at, this.#little);
      const length = block.getUint16(at + 2, this.#little);
      at += 4;
      if (code === OPTION.END || at + length > block.byteLength) return;
      yield { code, at, length };
      at += length + 3 & ~3;
    }
  }

  /** What the options of a packet, from byte `at` on, tell of it. */
  #told(block: DataView, from: number): Pick<CapturedFrame, "flags" | "comment"> {
    const told: { flags?: number; comment?: string } = {};
    for (const { code, at, length } of this.#options(block, from)) {
      if (code === PACKET_OPTION.FLAGS && length === 4) {
        told.flags = block.getUint32(at, this.#little);
      } else if (code === OPTION.COMMENT) {
        const bytes = new Uint8Array(block.buffer, block.byteOffset + at, length);
        told.comment = new TextDecoder().decode(bytes);
      }
    }
    return told;
  }

  #frameOf(type: number, block: DataView): CapturedFrame | undefined {
    const u32 = (at: number) => block.getUint32(at, this.#little);
    if (type === PCAPNG.ENHANCED_PACKET) {
      this.#need(block, 20);
      const frame = this.#frame(block, u32(0), [u32(4), u32(8)], 20, u32(12), u32(16));
      return { ...frame, ...this.#told(block, 20 + (u32(12) + 3 & ~3)) };
    }
    if (type === PCAPNG.PACKET) {
      this.#need(block, 20);
      const port = block.getUint16(0, this.#little);
      return this.#frame(block, port, [u32(4), u32(8)], 20, u32(12), u32(16));
    }
    if (type !== PCAPNG.SIMPLE_PACKET) return undefined;
    this.#need(block, 4);
    const snapLength = this.#interfaces[0]?.snapLength || Infinity;
    return this.#frame(block, 0, [0, 0], 4, Math.min(u32(0), snapLength), u32(0));
  }

  #frame(
    block: DataView,
    port: number,
    [high, low]: readonly [number, number],
    at: number,
    captured: number,
    wireBytes: number,
  ): CapturedFrame {
    const described = this.#interfaces[port];
    if (!described) this.bytes.refuse(`a frame is of interface ${port}, which is not described`);
    if (described.linkType !== LINKTYPE_ETHERNET) {
      refuseLinkType(this.bytes.name, described.linkType);
    }
    this.#need(block, at + captured);
    const bytes = new Uint8Array(block.buffer, block.byteOffset + at, captured).slice();
    return { bytes, wireBytes, port, time: described.timeOf(high, low) };
  }

  #need(block: DataView, bytes: number): void {
    if (block.byteLength < bytes) {
      this.bytes.refuse(`a block has ${block.byteLength} bytes where ${bytes} are needed`);
    }
  }
}

/**
 * How timestamps are read.
 *
 * @param resolution Units of a second: a power of ten; if the highest bit is set, of two.
 * @param offset Seconds to be added.
 */
function timeBy(resolution: number, offset: bigint): Interface["timeOf"] {
  const exponent = BigInt(resolution & 0x7f);
  const perSecond = (resolution & 0x80) === 0 ? 10n ** exponent : 2n ** exponent;
  return (high, low) => {
    const units = BigInt(high) << 32n | BigInt(low);
    return offset * 1_000_000_000n + units * 1_000_000_000n / perSecond;
  };
}
