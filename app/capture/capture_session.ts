import { CulvertError } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import {
  type CaptureArea,
  LOST,
  recordByte,
  RING_HEAD,
  ringShare,
  SEEN,
  SESSIONS,
} from "./capture_area.ts";
import { RECORD, RECORD_BYTES_MIN } from "./record.ts";

/** Milliseconds in which an owner that reads must have counted up its beat. */
const BEAT_MS = 300;

/** Bytes of records after which the lcore is told that they are read. */
const RELEASE_BYTES = 1 << 18;

/**
 * After a session is switched off, lcores may still add the burst that they had begun: milliseconds
 * between two looks for it, and after which we wait no longer, as an lcore may have no core.
 */
const SETTLE_MS = 20, SETTLE_MAX_MS = 1000;

/**
 * Called with each record: the words of the memory, where it begins in them, its length in bytes.
 */
export type Visit = (words: Uint32Array, at: number, length: number) => void;

/** The reader's end of one ring. */
class RecordReader {
  readonly #memory: MappedMemory;
  readonly #head: number;
  readonly #records: number;
  #released: number;
  #published: number;
  /** The next record's position. */
  position: number;

  constructor(area: CaptureArea, session: number, lcore: number) {
    this.#memory = area.memory;
    this.#head = area.ringByte(session, lcore) >>> 2;
    this.#records = area.recordsOf(session, lcore).byte;
    this.position = this.#published = this.#released = this.#load();
    this.release();
  }

  /** The word where the next record begins; -1 if there is none. */
  next(): number {
    if (this.position === this.#published) return -1;
    return this.#records + recordByte(this.position) >>> 2;
  }

  /** Load up to where records are published; returns what share of the ring is yet to be read. */
  look(): number {
    this.#published = this.#load();
    return ringShare(this.#published - this.position | 0);
  }

  /** Step over a record of `length` bytes. */
  pass(length: number): void {
    this.position = this.position + length | 0;
  }

  /**
   * Whether the next record can have `length` bytes: it ends where records are published, or
   * before.
   */
  canBe(length: number): boolean {
    return length >= RECORD_BYTES_MIN && length % 4 === 0 &&
      length <= (this.#published - this.position | 0);
  }

  /**
   * Step over all published records: behind a wrong length the beginning of the next is unknown.
   */
  skip(): void {
    this.position = this.#published;
  }

  /** Whether so much is read that the lcore should be told. */
  get isDue(): boolean {
    return (this.position - this.#released | 0) >= RELEASE_BYTES;
  }

  /** Give the lcore the room of all records that were stepped over. */
  release(): void {
    this.#released = this.position;
    this.#memory.store(this.#head + RING_HEAD.CONSUMED, this.position);
  }

  snap(bytes: number): void {
    this.#memory.u32[this.#head + RING_HEAD.SNAP] = bytes;
  }

  #load(): number {
    return this.#memory.load(this.#head + RING_HEAD.PUBLISHED) | 0;
  }
}

/** A capture's place in an area, from {@linkcode claim} to {@linkcode close}. */
export class CaptureSession {
  readonly #rings: readonly RecordReader[];
  readonly #before: readonly number[][];
  #drained = 0;
  #filled = 0;

  private constructor(
    private readonly area: CaptureArea,
    private readonly session: number,
    private readonly ports: readonly number[],
    snap: number,
  ) {
    this.#before = ports.map((port) => [...area.counts(session, port)]);
    const lcores = Array.from({ length: area.lcores }, (_, lcore) => lcore);
    this.#rings = lcores.map((lcore) => new RecordReader(area, session, lcore));
    for (const ring of this.#rings) ring.snap(snap);
  }

  /**
   * Take a session that nobody has, or whose owner has died, and switch it on.
   *
   * @param ports The ports, by their numbers in the area.
   * @param snap Bytes of a frame that are copied.
   * @param pid Our process.
   * @param isThere Whether a process of this number runs.
   * @param reserve Gets memory for `bytes` of the area, from `byte` on.
   * @throws {CulvertError} if all sessions are taken.
   */
  static async claim(
    area: CaptureArea,
    ports: readonly number[],
    snap: number,
    pid: number,
    isThere: (pid: number) => boolean,
    reserve: (byte: number, bytes: number) => void,
  ): Promise<CaptureSession> {
    const { u32 } = area.memory;
    const owners: number[] = [];
    for (let session = 0; session < SESSIONS; session++) {
      const owner = Atomics.load(u32, area.ownerWord(session));
      owners.push(owner);
      if (owner !== 0 && (isThere(owner) || await beats(area, session))) continue;
      if (Atomics.compareExchange(u32, area.ownerWord(session), owner, pid) !== owner) continue;
      switchOff(area, session); // what its last owner has left on
      try {
        for (let lcore = 0; lcore < area.lcores; lcore++) {
          const { byte, bytes } = area.recordsOf(session, lcore);
          reserve(byte, bytes);
        }
        const claimed = new CaptureSession(area, session, ports, snap);
        claimed.step();
        return claimed;
      } catch (error) {
        Atomics.store(u32, area.ownerWord(session), 0);
        throw error;
      }
    }
    throw new CulvertError(
      `Cannot capture as ${SESSIONS} captures run there already, processes ` +
        `${owners.join(", ")}: end one`,
    );
  }

  /**
   * Tell host and other captures that we live; to be called more often than every 300 ms. Switches
   * ports on again that the host has switched off meanwhile.
   */
  step(): void {
    const { area, session } = this;
    const { u32 } = area.memory;
    Atomics.add(u32, area.beatWord(session), 1);
    for (const port of this.ports) {
      const word = area.switchWord(port);
      if ((u32[word] & 1 << session) === 0) Atomics.or(u32, word, 1 << session);
    }
  }

  /**
   * Visit the published records, in the order of their times. If the length of one is impossible,
   * the rest of its ring is left out.
   *
   * @param settle Called now and then: lcores may write over the visited records after that.
   * @returns how many records were visited.
   */
  drain(visit: Visit, settle: () => void): number {
    const { u32 } = this.area.memory;
    let count = 0;
    this.#filled = Math.max(...this.#rings.map((ring) => ring.look()));
    for (let ring; (ring = this.#earliest(u32)) !== undefined;) {
      const at = ring.next();
      const length = u32[at + RECORD.LENGTH];
      if (!ring.canBe(length)) {
        ring.skip();
        continue;
      }
      count++;
      visit(u32, at, length);
      ring.pass(length);
      if (!ring.isDue) continue;
      settle();
      ring.release();
    }
    settle();
    for (const ring of this.#rings) ring.release();
    this.#drained += count;
    return count;
  }

  /** What share of the fullest ring had records when it was drained last: 0 to 1. */
  get filled(): number {
    return this.#filled;
  }

  /**
   * Frames of the port number `at` of ours since the session began: all, and those that had no
   * room.
   */
  counted(at: number): { seen: number; lost: number } {
    const counts = this.area.counts(this.session, this.ports[at]);
    const before = this.#before[at];
    return { seen: counts[SEEN] - before[SEEN], lost: counts[LOST] - before[LOST] };
  }

  /** Switch off, and drain what lcores still add: they may be in the middle of a burst. */
  async stop(visit: Visit, settle: () => void): Promise<void> {
    switchOff(this.area, this.session);
    for (let waited = 0; waited < SETTLE_MAX_MS; waited += SETTLE_MS) {
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      this.drain(visit, settle);
      if (this.#drained >= this.#recorded) return;
    }
  }

  /** Leave the session to others. */
  close(): void {
    switchOff(this.area, this.session);
    Atomics.store(this.area.memory.u32, this.area.ownerWord(this.session), 0);
  }

  /** Records that were written for us since the session began. */
  get #recorded(): number {
    const counted = this.ports.map((_, at) => this.counted(at));
    return counted.reduce((sum, { seen, lost }) => sum + seen - lost, 0);
  }

  #earliest(u32: Uint32Array): RecordReader | undefined {
    const rings = this.#rings;
    if (rings.length === 1) return rings[0].next() < 0 ? undefined : rings[0];
    let [found, high, low]: [RecordReader | undefined, number, number] = [undefined, 0, 0];
    for (const ring of rings) {
      const at = ring.next();
      if (at < 0) continue;
      const [itsHigh, itsLow] = [u32[at + RECORD.TIME_HIGH], u32[at + RECORD.TIME_LOW]];
      if (found && (itsHigh > high || itsHigh === high && itsLow >= low)) continue;
      [found, high, low] = [ring, itsHigh, itsLow];
    }
    return found;
  }
}

function switchOff(area: CaptureArea, session: number): void {
  const { u32 } = area.memory;
  for (let port = 0; port < area.ports; port++) {
    Atomics.and(u32, area.switchWord(port), ~(1 << session));
  }
}

/** Whether a session's owner is alive. */
async function beats(area: CaptureArea, session: number): Promise<boolean> {
  const { u32 } = area.memory;
  const before = u32[area.beatWord(session)];
  await new Promise((resolve) => setTimeout(resolve, BEAT_MS));
  return Atomics.load(u32, area.beatWord(session)) !== before;
}
