import { CulvertError } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";

/** `CVcapture`, version 1. */
const MAGIC = 0x43565043, VERSION = 1;

/** Captures that may run at the same time. */
export const SESSIONS = 4;

/** Most ports of one area. */
const PORTS_MAX = 4096;

/** Of a ring of records, in bytes: `struct record_ring` in shim/record.c. */
const RECORD_RING = { BYTES: 1 << 23, LONGEST: 1 << 17, HEAD: 4096 } as const;

/** Words of the head of a ring. */
export const RING_HEAD = {
  /** Where the next record goes, as yet unpublished. Written by the lcore, in the shim. */
  PENDING: 0,
  /** Bytes of a frame that are copied. Written by the capture. */
  SNAP: 1,
  /** Records before this position may be read. Written by the lcore. */
  PUBLISHED: 32,
  /** Records before this position are read. Written by the capture. */
  CONSUMED: 64,
} as const;

/** Bytes of a frame that a capture takes at most. */
export const SNAP_MAX: number = RECORD_RING.LONGEST - 64;

/** Words of the area's first page. All are written by the host before a capture can see it. */
const HEADER = { MAGIC: 0, VERSION: 1, LCORES: 2, PORTS: 3, TEXT: 4, PID: 5, CLOSED: 6 } as const;

/** Words of a session, in front of its counts. */
const SESSION_HEAD = { OWNER: 0, BEAT: 1, WORDS: 32 } as const;

/** Numbers (64 bits each) that are counted of a port in a session. Written by the port's lcore. */
export const SEEN = 0, LOST = 1;
const COUNTS = 2;

/** A port, as its host describes it. */
export interface AreaPort {
  /** As the command line names it: `eth1`, `null:64`. */
  readonly name: string;
  /** The guest that has it. */
  readonly guest: number;
  /** Its number among the guest's. */
  readonly port: number;
  /** Which of its queues this is, if it has several. */
  readonly queue?: number;
  /** Longest frame, in bytes. */
  readonly frameMax: number;
}

const PAGE = 4096;
const pages = (bytes: number) => Math.ceil(bytes / PAGE) * PAGE;

/**
 * Where an area's parts lie, in bytes: header, a switch a port, sessions, the description of the
 * ports, and for each session and lcore a ring.
 */
function placesFor(lcores: number, ports: number, text: number) {
  const sessionBytes = SESSION_HEAD.WORDS * 4 + COUNTS * 8 * ports;
  const ringBytes = RECORD_RING.HEAD + RECORD_RING.BYTES + RECORD_RING.LONGEST;
  const switches = PAGE;
  const sessions = switches + pages(4 * ports);
  const description = sessions + SESSIONS * pages(sessionBytes);
  const rings = description + pages(text);
  const all = rings + SESSIONS * lcores * ringBytes;
  return {
    switches,
    sessions,
    sessionBytes: pages(sessionBytes),
    description,
    rings,
    ringBytes,
    all,
  };
}

/**
 * Memory between a host and those who capture at its ports: a file that the host's user and root
 * alone may open, and no part of a region. So a guest can neither switch a capture on nor see what
 * it takes.
 *
 * A capture takes a session, and sets its bit in the switch of each port; the port's lcore looks
 * there once a burst, and copies the beginnings of the frames into its ring of that session. What
 * finds no room is counted, and the frame goes on.
 */
export class CaptureArea {
  /** Lcores of the host. */
  readonly lcores: number;
  /** Ports of the region. */
  readonly ports: number;
  readonly #places: ReturnType<typeof placesFor>;
  readonly #u32: Uint32Array<SharedArrayBuffer>;

  /**
   * Use an area that a host has made.
   *
   * @throws {CulvertError} if it is none, or of another version.
   */
  constructor(readonly memory: MappedMemory, name: string) {
    const u32 = this.#u32 = memory.u32;
    const [lcores, ports, text] = [HEADER.LCORES, HEADER.PORTS, HEADER.TEXT].map((at) => u32[at]);
    const isKnown = u32[HEADER.MAGIC] === MAGIC && u32[HEADER.VERSION] === VERSION;
    if (!isKnown || ports > PORTS_MAX || placesFor(lcores, ports, text).all > memory.bytes) {
      throw new CulvertError(
        `Cannot capture at ${name} as its host is of another version: use that one's`,
      );
    }
    [this.lcores, this.ports] = [lcores, ports];
    this.#places = placesFor(lcores, ports, text);
  }

  /** Bytes that an area needs, a multiple of 4096. */
  static bytesFor(lcores: number, ports: readonly AreaPort[]): number {
    return placesFor(lcores, ports.length, textOf(ports).length).all;
  }

  /** Lay one out in memory that is all zeros. `pid` is the host's. */
  static create(
    memory: MappedMemory,
    lcores: number,
    ports: readonly AreaPort[],
    pid: number,
  ): CaptureArea {
    const text = textOf(ports);
    const { description } = placesFor(lcores, ports.length, text.length);
    memory.u8.set(text, description);
    const { u32 } = memory;
    u32[HEADER.VERSION] = VERSION;
    u32[HEADER.LCORES] = lcores;
    u32[HEADER.PORTS] = ports.length;
    u32[HEADER.TEXT] = text.length;
    u32[HEADER.PID] = pid;
    memory.store(HEADER.MAGIC, MAGIC);
    return new CaptureArea(memory, "");
  }

  /** The host's process. */
  get pid(): number {
    return this.#u32[HEADER.PID];
  }

  /** Whether the host has ended. */
  get isClosed(): boolean {
    return this.memory.load(HEADER.CLOSED) !== 0;
  }

  /** Tell captures that the host ends. */
  close(): void {
    this.memory.store(HEADER.CLOSED, 1);
  }

  /** What the host says of its ports, by their numbers here. */
  describe(): AreaPort[] {
    const { description } = this.#places;
    const text = this.memory.u8.slice(description, description + this.#u32[HEADER.TEXT]);
    return JSON.parse(new TextDecoder().decode(text));
  }

  /** The word of a port's switch: a bit for each session that wants its frames. */
  switchWord(port: number): number {
    return (this.#places.switches >>> 2) + port;
  }

  /** The word with the process that has a session; 0 for none. */
  ownerWord(session: number): number {
    return this.#sessionByte(session) / 4 + SESSION_HEAD.OWNER;
  }

  /** The word that a session's owner counts up as long as it reads. */
  beatWord(session: number): number {
    return this.#sessionByte(session) / 4 + SESSION_HEAD.BEAT;
  }

  /** What is counted of a port in a session, by {@linkcode SEEN} and {@linkcode LOST}. */
  counts(session: number, port: number): Float64Array<SharedArrayBuffer> {
    const byte = this.#sessionByte(session) + SESSION_HEAD.WORDS * 4 + COUNTS * 8 * port;
    return new Float64Array(this.memory.u8.buffer, this.memory.u8.byteOffset + byte, COUNTS);
  }

  /** Where a session's ring of an lcore begins, in bytes. */
  ringByte(session: number, lcore: number): number {
    const { rings, ringBytes } = this.#places;
    return rings + (session * this.lcores + lcore) * ringBytes;
  }

  /** Where the records of a session's ring are: from byte, and how many bytes. */
  recordsOf(session: number, lcore: number): { byte: number; bytes: number } {
    const byte = this.ringByte(session, lcore) + RECORD_RING.HEAD;
    return { byte, bytes: RECORD_RING.BYTES + RECORD_RING.LONGEST };
  }

  #sessionByte(session: number): number {
    return this.#places.sessions + session * this.#places.sessionBytes;
  }
}

/** A host's capture area. */
export interface HostedCapture {
  /** It, mapped. */
  readonly area: CaptureArea;
  /** Tell captures that the host ends, unmap and remove it. No lcore may be using it any more. */
  close(): void;
}

/** The byte, from the begin of a ring's records, of what is at a position. */
export function recordByte(position: number): number {
  return position & RECORD_RING.BYTES - 1;
}

function textOf(ports: readonly AreaPort[]): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(ports));
}
