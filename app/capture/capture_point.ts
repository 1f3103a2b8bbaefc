import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { type CaptureArea, LOST, recordByte, RING_HEAD, SEEN, SESSIONS } from "./capture_area.ts";
import { flagsWord, RECORD } from "./record.ts";

/** Frames as descriptors, in memory that the shim knows. */
export interface Frames {
  /** The shim's number of that memory. */
  readonly map: number;
  /** Where they begin, in words. */
  readonly word: number;
}

/** Looks, ten a second, after which a capture that does not read is taken for dead. */
const LOOKS = 100;

/** One lcore's end of a ring of records. */
export class RecordWriter {
  readonly #memory: MappedMemory;
  readonly #byte: number;
  readonly #records: number;
  readonly #head: number;
  #first = 0;
  #count = 0;

  /** For one session and one lcore. */
  constructor(area: CaptureArea, session: number, lcore: number) {
    this.#memory = area.memory;
    this.#byte = area.ringByte(session, lcore);
    this.#head = this.#byte >>> 2;
    this.#records = area.recordsOf(session, lcore).byte;
  }

  /**
   * Write records of `count` frames; returns how many had room. The capture sees none of them
   * before {@linkcode publish}.
   */
  add(mbufs: number, { map, word }: Frames, count: number, at: number, label: number): number {
    const memory = this.#memory;
    this.#first = memory.u32[this.#head + RING_HEAD.PENDING];
    const maps = mbufs | map << 16;
    const byte = this.#byte;
    const n = shim.shim_frames_record(maps, word + (at << 1), count, memory.map, byte, label);
    return this.#count = n > 0 ? n : 0;
  }

  /** Write into the records of frames `from` to `to - 1` of the last `add` why they are dropped. */
  mark(from: number, to: number, reason: number): void {
    const { u32 } = this.#memory;
    const end = to < this.#count ? to : this.#count;
    let position = this.#first;
    for (let i = 0; i < end; i++) {
      const at = this.#records + recordByte(position) >>> 2;
      const length = u32[at + RECORD.LENGTH];
      if (i >= from) u32[flagsWord(at, length)] |= reason << 16;
      position = position + length | 0;
    }
  }

  /** Let the capture see all that was written. */
  publish(): void {
    const pending = this.#memory.u32[this.#head + RING_HEAD.PENDING];
    // Pairs with the capture's load: with the position it sees all words of the records before it.
    this.#memory.store(this.#head + RING_HEAD.PUBLISHED, pending);
  }
}

/** The rings of one lcore, which its points share: one a session. */
export class CaptureLcore {
  /** The lcore's end of each session's ring. */
  readonly writers: readonly RecordWriter[];

  /** Of lcore number `lcore`. */
  constructor(readonly area: CaptureArea, lcore: number) {
    const sessions = Array.from({ length: SESSIONS }, (_, session) => session);
    this.writers = sessions.map((session) => new RecordWriter(area, session, lcore));
  }
}

/**
 * Where frames of one port are captured. Its lcore looks once a burst whether anybody wants them;
 * what it adds after that is seen by captures once it is published.
 */
export class CapturePoint {
  readonly #switches: Uint32Array<SharedArrayBuffer>;
  readonly #switch: number;
  readonly #area?: CaptureArea;
  readonly #writers: readonly RecordWriter[];
  readonly #counts: readonly Float64Array<SharedArrayBuffer>[];
  readonly #beats = new Uint32Array(SESSIONS);
  readonly #still = new Uint32Array(SESSIONS);
  /** The sessions that want frames, as looked up last: a bit each. */
  #on = 0;

  /**
   * A point that is off.
   *
   * @param mbufs The shim's number of the memory with the port's mbufs.
   * @param lcore Undefined if nobody can capture here.
   * @param port The port's number in the area.
   */
  constructor(private readonly mbufs: number, lcore?: CaptureLcore, private readonly port = 0) {
    const area = this.#area = lcore?.area;
    this.#switches = area?.memory.u32 ?? new Uint32Array(new SharedArrayBuffer(4));
    this.#switch = area?.switchWord(port) ?? 0;
    this.#writers = lcore?.writers ?? [];
    this.#counts = this.#writers.map((_, session) => area!.counts(session, port));
  }

  /** Look whether anybody captures here. The other methods go by that until the next look. */
  look(): boolean {
    return (this.#on = this.#switches[this.#switch]) !== 0;
  }

  /** Add `count` frames, from number `at` of the burst on: {@linkcode INBOUND} or outbound. */
  add(frames: Frames, count: number, at: number, direction: number): void {
    if (this.#on === 0) return;
    const label = this.port | direction << 16;
    const writers = this.#writers;
    for (let session = 0, on = this.#on; session < writers.length; session++) {
      if ((on & 1 << session) === 0) continue;
      const n = writers[session].add(this.mbufs, frames, count, at, label);
      const counts = this.#counts[session];
      counts[SEEN] += count;
      counts[LOST] += count - n;
    }
  }

  /** Write into the records of frames `from` to `to - 1` of the last `add` why they are dropped. */
  mark(from: number, to: number, reason: number): void {
    if (this.#on === 0) return;
    for (let session = 0, on = this.#on; session < this.#writers.length; session++) {
      if ((on & 1 << session) !== 0) this.#writers[session].mark(from, to, reason);
    }
  }

  /** Add `count` frames that are dropped at once, from number `at` of the burst on. */
  addDrops(frames: Frames, count: number, direction: number, reason: number, at = 0): void {
    if (this.#on === 0) return;
    this.add(frames, count, at, direction);
    this.mark(0, count, reason);
  }

  /** Let captures see what was added. */
  publish(): void {
    if (this.#on === 0) return;
    for (let session = 0, on = this.#on; session < this.#writers.length; session++) {
      if ((on & 1 << session) !== 0) this.#writers[session].publish();
    }
  }

  /** Switch off sessions whose captures were killed; to be called ten times a second. */
  refresh(): void {
    const area = this.#area;
    if (area === undefined || !this.look()) return;
    for (let session = 0; session < SESSIONS; session++) {
      const beat = this.#switches[area.beatWord(session)];
      this.#still[session] = beat === this.#beats[session] ? this.#still[session] + 1 : 0;
      this.#beats[session] = beat;
      if ((this.#on & 1 << session) === 0 || this.#still[session] < LOOKS) continue;
      Atomics.and(this.#switches, this.#switch, ~(1 << session));
      this.#still[session] = 0;
    }
  }
}
