import { CulvertError } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";

/** "CVPC", version 2. */
const MAGIC = 0x43565043, VERSION = 2;

/** Captures that may run at the same time. */
export const SESSIONS = 4;

/**
 * Most ports of one area, and bytes for their description. Parts that are not used take no memory.
 */
const PORTS_MAX = 4096, TEXT_BYTES = 1 << 20;

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

/**
 * Words of the area's first page, written by the host: the magic number last. GENERATION counts the
 * changes of the host's ports; TEXT is two words, the lengths of the description of the ports in
 * even and in odd generations.
 */
const HEADER = {
  MAGIC: 0,
  VERSION: 1,
  LCORES: 2,
  PORTS: 3,
  TEXT: 4,
  CLOSED: 6,
  GENERATION: 7,
} as const;

/** Words of a session, in front of its counts. */
const SESSION_HEAD = { OWNER: 0, BEAT: 1, WORDS: 32 } as const;

/** Counters (64 bits each) of a port in a session. Written by the port's lcore. */
export const SEEN = 0, LOST = 1;
const COUNTS = 2;

/** A port, as its host describes it. */
export interface AreaPort {
  /** Its name on the command line: `eth1`, `null:64`. */
  readonly name: string;
  /** The guest that has it. */
  readonly guest: number;
  /** Its number among the guest's ports. */
  readonly port: number;
  /** Which of its queues this is, if it has several. */
  readonly queue?: number;
  /** Longest frame, in bytes. */
  readonly frameMax: number;
}

/** A port with its place in an area. */
export interface CapturedPort extends AreaPort {
  /** The number of its place there, for as long as the area lasts. */
  readonly point: number;
}

const PAGE = 4096;
const pages = (bytes: number) => Math.ceil(bytes / PAGE) * PAGE;

/**
 * Where an area's parts lie, in bytes: header, a switch a port, sessions, two descriptions of the
 * ports, and for each session and lcore a ring.
 */
const SWITCHES = PAGE;
const SESSIONS_BYTE = SWITCHES + pages(4 * PORTS_MAX);
const SESSION_BYTES = pages(SESSION_HEAD.WORDS * 4 + COUNTS * 8 * PORTS_MAX);
const DESCRIPTIONS = SESSIONS_BYTE + SESSIONS * SESSION_BYTES;
const RINGS = DESCRIPTIONS + 2 * TEXT_BYTES;
const RING_BYTES = RECORD_RING.HEAD + RECORD_RING.BYTES + RECORD_RING.LONGEST;

/**
 * Memory that a host shares with programs that capture at its ports: a file that only the host's
 * user and root may open, and no part of a region. So a guest can neither switch a capture on nor
 * see what it takes.
 *
 * A capture takes a session, and sets its bit in the switch of each port; the port's lcore looks
 * there once a burst, and copies the beginnings of the frames into its ring of that session. A
 * frame that finds no room in the ring is counted, and goes on.
 *
 * The area outlives changes of the host's ports: a port that stays, or that comes again, keeps its
 * place, so that captures go on.
 */
export class CaptureArea {
  /** Lcores of the host. */
  readonly lcores: number;
  readonly #u32: Uint32Array<SharedArrayBuffer>;

  /**
   * Use an area that a host has made.
   *
   * @throws {CulvertError} if the memory is no area, or one of another version.
   */
  constructor(readonly memory: MappedMemory, name: string) {
    const u32 = this.#u32 = memory.u32;
    const lcores = this.lcores = u32[HEADER.LCORES];
    const isKnown = memory.load(HEADER.MAGIC) === MAGIC && u32[HEADER.VERSION] === VERSION;
    if (!isKnown || CaptureArea.bytesFor(lcores) > memory.bytes) {
      throw new CulvertError(
        `Cannot capture at ${name} as its host is of another version: use the same build`,
      );
    }
  }

  /** Bytes that an area needs, a multiple of 4096. */
  static bytesFor(lcores: number): number {
    return RINGS + SESSIONS * lcores * RING_BYTES;
  }

  /** Lay out an area without ports in memory that is all zeros. */
  static create(memory: MappedMemory, lcores: number): CaptureArea {
    memory.u32[HEADER.VERSION] = VERSION;
    memory.u32[HEADER.LCORES] = lcores;
    memory.store(HEADER.MAGIC, MAGIC);
    return new CaptureArea(memory, "");
  }

  /** Places of ports that are, or were, in use. */
  get ports(): number {
    return Math.min(this.#u32[HEADER.PORTS], PORTS_MAX);
  }

  /** Counts the changes of the host's ports. */
  get generation(): number {
    return this.memory.load(HEADER.GENERATION);
  }

  /** Whether the host has ended. */
  get isClosed(): boolean {
    return this.memory.load(HEADER.CLOSED) !== 0;
  }

  /** Tell captures that the host ends. */
  close(): void {
    this.memory.store(HEADER.CLOSED, 1);
  }

  /**
   * Say what ports the host has now; no lcore may be at work.
   *
   * @throws {CulvertError} if there is no room for their description.
   */
  tell(ports: readonly CapturedPort[]): void {
    const text = new TextEncoder().encode(JSON.stringify(ports));
    if (text.length > TEXT_BYTES) throw tooMany(ports.length);
    const next = this.generation + 1;
    this.memory.u8.set(text, descriptionOf(next));
    this.#u32[HEADER.TEXT + (next & 1)] = text.length;
    const used = Math.max(this.ports, ...ports.map(({ point }) => point + 1));
    this.#u32[HEADER.PORTS] = used;
    this.memory.store(HEADER.GENERATION, next); // pairs with the load of `generation`
  }

  /** What the host says of its ports. */
  describe(): CapturedPort[] {
    for (;;) {
      const { generation } = this;
      const begin = descriptionOf(generation);
      const length = Math.min(this.#u32[HEADER.TEXT + (generation & 1)], TEXT_BYTES);
      const text = this.memory.u8.slice(begin, begin + length);
      if (this.generation !== generation) continue; // the host may be writing there again
      return length === 0 ? [] : JSON.parse(new TextDecoder().decode(text));
    }
  }

  /** The word of a port's switch: a bit for each session that wants its frames. */
  switchWord(port: number): number {
    return (SWITCHES >>> 2) + port;
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
    return RINGS + (session * this.lcores + lcore) * RING_BYTES;
  }

  /** Where the records of a session's ring are: from byte, and how many bytes. */
  recordsOf(session: number, lcore: number): { byte: number; bytes: number } {
    const byte = this.ringByte(session, lcore) + RECORD_RING.HEAD;
    return { byte, bytes: RECORD_RING.BYTES + RECORD_RING.LONGEST };
  }

  #sessionByte(session: number): number {
    return SESSIONS_BYTE + session * SESSION_BYTES;
  }
}

/** Gives the ports of a host their places in its area, through all changes of the ports. */
export class AreaPlaces {
  /** Places by guest, name, and number among the ports of the same guest and name. */
  readonly #points = new Map<string, number>();

  /** `area` has no ports yet. */
  constructor(readonly area: CaptureArea) {}

  /**
   * Find places for the ports that the host has from now on, and tell captures. No lcore may be at
   * work.
   *
   * @returns the place of each.
   * @throws {CulvertError} if there are too many ports.
   */
  take(ports: readonly AreaPort[]): number[] {
    if (ports.length > PORTS_MAX) throw tooMany(ports.length);
    const alike = new Map<string, number>();
    const keys = ports.map(({ guest, name }) => {
      const key = `${guest} ${name}`;
      const nth = alike.get(key) ?? 0;
      alike.set(key, nth + 1);
      return `${nth} ${key}`;
    });
    const points = keys.map((key) => this.#points.get(key) ?? this.#add(key, keys));
    this.area.tell(ports.map((port, i) => ({ ...port, point: points[i] })));
    return points;
  }

  /** A place that no port has had; if there is none, the place of a port that has gone. */
  #add(key: string, present: readonly string[]): number {
    let point = this.#points.size;
    if (point >= PORTS_MAX) {
      const gone = this.#points.keys().find((other) => !present.includes(other)) ?? key;
      point = this.#points.get(gone) ?? point;
      this.#points.delete(gone);
    }
    this.#points.set(key, point);
    return point;
  }
}

function tooMany(ports: number): CulvertError {
  return new CulvertError(
    `Cannot let others capture at ${ports} ports: ${PORTS_MAX} are possible, or fewer if their ` +
      `names are long`,
  );
}

/** Where a generation's description begins: not where the one of the generation before it does. */
function descriptionOf(generation: number): number {
  return DESCRIPTIONS + (generation & 1) * TEXT_BYTES;
}

/** What share of a ring so many bytes of records fill. */
export function ringShare(bytes: number): number {
  return bytes / RECORD_RING.BYTES;
}

/** Where a position is, in bytes from the beginning of a ring's records. */
export function recordByte(position: number): number {
  return position & RECORD_RING.BYTES - 1;
}
