import { CulvertError } from "../../ffi/error.ts";
import { DESCRIPTOR, DESCRIPTOR_FLAG, FRAME_MIN_BYTES, SUPER_HEADER } from "../memory/layout.ts";
import { cellsIn, longBytes, type MbufGeometry } from "../mempool/mbuf.ts";
import type { Burst } from "../ring/burst.ts";
import type { TakenBack } from "./taken_back.ts";

/** Most guests that the ledger can tell apart. */
export const GUESTS_MAX = 127;

/** The owner code of the host itself. */
const HOST = 0;

/** The owner code of `guest` for an mbuf lent empty; one more if it was lent with a frame in it. */
export function codeOf(guest: number): number {
  return 1 + 2 * guest;
}

/** Flags of frames that must not leave the host's trust domain. */
const NOT_LENT = DESCRIPTOR_FLAG.MORE | DESCRIPTOR_FLAG.SHARED;
const { SUPER } = DESCRIPTOR_FLAG;

function refuseFlags(): never {
  throw new CulvertError(
    "Cannot lend an mbuf as it is shared, or its frame goes on in others: only whole frames that " +
      "nobody shares go to a guest; use Frames.linearize() or Frames.copy() before",
  );
}

/**
 * The host's private record of who owns each mbuf: one byte an mbuf, and one for each cell of a
 * long one, of which the first is that mbuf's. Nobody owns the others, so that a handle that points
 * into a long mbuf is a foreign one.
 *
 * Each handle that comes back from a guest is looked up here before it is used, so that one that is
 * made up, given twice or stolen from another guest is counted and has no other effect. With
 * several host lcores a take-back is a compare-and-swap, since a hostile guest could hand the same
 * mbuf to two of them at once; with one lcore plain accesses do.
 */
export class Ledger {
  readonly #owners: Uint8Array<SharedArrayBuffer>;
  /** Cells of all mbufs; those of long ones begin at `#longFrom`. */
  readonly #cells: number;
  readonly #longFrom: number;
  readonly #stride: number;
  readonly #longBytes: number;

  /**
   * Use the record in `buffer`: each thread makes its own `Ledger` over the same one.
   *
   * @param buffer One byte per cell, shared by the host's lcores, zeros at first.
   * @param geometry Where mbufs lie and how long they are.
   * @param frameMax Longest frame that a guest may send, in bytes.
   * @param shared Whether more than one lcore uses this buffer.
   */
  constructor(
    readonly buffer: SharedArrayBuffer,
    geometry: MbufGeometry,
    readonly frameMax: number,
    readonly shared: boolean,
  ) {
    this.#owners = new Uint8Array(buffer);
    this.#cells = cellsIn(geometry);
    this.#longFrom = geometry.count;
    this.#stride = geometry.stride;
    this.#longBytes = longBytes(geometry.stride);
  }

  /**
   * Record that `guest` now holds these mbufs, `withFrame` or empty: call it before they are
   * published.
   *
   * @throws {CulvertError} if an mbuf is part of a frame of several segments, or may be shared, as
   * no port of ours receives such frames. No mbuf may be published then.
   * @returns the first words of all descriptors, joined by OR: SUPER is set if one is a
   * super-frame.
   */
  lend(burst: Burst, count: number, guest: number, withFrame: boolean): number {
    const owners = this.#owners;
    const words = burst.words;
    const code = codeOf(guest) + (withFrame ? 1 : 0);
    let flags = 0;
    for (let i = 0, end = count << 1; i < end; i += 2) {
      const word0 = words[i];
      flags |= word0;
      owners[word0 & DESCRIPTOR.INDEX_MASK] = code;
    }
    if ((flags & NOT_LENT) !== 0) refuseFlags();
    return flags;
  }

  /**
   * Undo {@linkcode lend} for descriptor number `at`, which was not published.
   *
   * @returns false if the mbuf is `guest`'s no more: it was sent or given back by another lcore, by
   * a guest that has guessed its number.
   */
  unlend({ words }: Burst, at: number, guest: number): boolean {
    return this.#take(words[at << 1] & DESCRIPTOR.INDEX_MASK, codeOf(guest)) !== HOST;
  }

  /**
   * Take back a burst of frames to be sent. Good frames are moved to the front of `burst`, with no
   * flag but SUPER. The mbufs of malformed frames, now the host's again, are moved to the front of
   * `malformed`. A super-frame may be as long as its mbuf; its offload header is still to be
   * checked.
   *
   * @returns how many are good.
   */
  takeFrames(
    burst: Burst,
    count: number,
    guest: number,
    malformed: Burst,
    taken: TakenBack,
  ): number {
    const { frameMax, shared } = this;
    const [owners, stride] = [this.#owners, this.#stride];
    const [words, bads] = [burst.words, malformed.words];
    const empty = codeOf(guest);
    const framed = empty + 1;
    const usual = shared ? 0 : this.#takeUsual(words, count, framed);
    let good = usual << 1;
    let bad = 0;
    let frames = usual;
    for (let i = good, end = count << 1; i < end; i += 2) {
      const index = words[i] & DESCRIPTOR.INDEX_MASK;
      const flags = words[i] & SUPER;
      const word1 = words[i + 1];
      const length = word1 >>> 16;
      const found = owners[index];
      let owner = found; // undefined beyond the last mbuf
      if (owner !== framed && owner !== empty) owner = HOST;
      else if (!shared) owners[index] = HOST;
      else if (Atomics.compareExchange(owners, index, owner, HOST) !== owner) owner = HOST;
      if (owner === HOST) {
        this.#countForeign(index, found, empty, taken);
      } else if (
        flags === 0 && length >= FRAME_MIN_BYTES && length <= frameMax &&
        (word1 & 0xffff) + length <= stride
      ) {
        frames += owner - empty;
        words[good] = index;
        words[good + 1] = word1;
        good += 2;
      } else if (this.#isSuperFrame(index, flags, word1)) {
        frames += owner - empty;
        words[good] = (index | SUPER) >>> 0;
        words[good + 1] = word1;
        good += 2;
      } else {
        this.#countMalformed(word1, taken);
        taken.malformedFrames += owner - empty;
        bads[bad] = index;
        bad += 2;
      }
    }
    taken.frames += frames;
    taken.originated += (good >>> 1) - frames;
    return good >>> 1;
  }

  /**
   * Take back a burst of mbufs that the guest does not send. The mbufs that it did hold are moved
   * to the front of `burst`, with the offsets and lengths that the guest says their frames have.
   *
   * @returns how many are good; `taken.frames` tells how many of them had been lent with a frame.
   */
  takeEmpties(burst: Burst, count: number, guest: number, taken: TakenBack): number {
    const code = codeOf(guest);
    const words = burst.words;
    let good = 0;
    for (let i = 0, end = count << 1; i < end; i += 2) {
      const index = words[i] & DESCRIPTOR.INDEX_MASK;
      const found = this.#owners[index];
      const owner = this.#take(index, code);
      if (owner === HOST) {
        this.#countForeign(index, found, code, taken);
      } else {
        taken.frames += owner - code;
        words[good] = index;
        words[good + 1] = words[i + 1];
        good += 2;
      }
    }
    return good >>> 1;
  }

  /**
   * Take back all that `guest` still holds. No lcore may be dealing with it.
   *
   * @param free Is given each mbuf index.
   * @returns how many mbufs there were, and how many of them had been lent with a frame.
   */
  sweep(guest: number, free: (index: number) => void): { mbufs: number; frames: number } {
    const code = codeOf(guest);
    const swept = { mbufs: 0, frames: 0 };
    for (let index = 0; index < this.#cells; index++) {
      const owner = this.#take(index, code);
      if (owner === HOST) continue;
      swept.mbufs++;
      swept.frames += owner - code;
      free(index);
    }
    return swept;
  }

  /** How many frames `guest` holds: mbufs that were lent with one in them. */
  framesHeldBy(guest: number): number {
    const code = codeOf(guest) + 1;
    let held = 0;
    for (const owner of this.#owners) if (owner === code) held++;
    return held;
  }

  /** How many mbufs `guest` holds, with a frame or without. */
  mbufsHeldBy(guest: number): number {
    const code = codeOf(guest);
    let held = 0;
    for (const owner of this.#owners) if (owner === code || owner === code + 1) held++;
    return held;
  }

  /**
   * Count a handle that was not the guest's to give: of no mbuf, of an mbuf that another guest
   * holds, or else made up or given twice. A handle that loses the race against another lcore for
   * the same mbuf was given twice.
   *
   * @param found The owner as it was before that race.
   * @param code The guest's, for an mbuf without a frame.
   */
  #countForeign(index: number, found: number, code: number, taken: TakenBack): void {
    taken.foreign++;
    if (index >= this.#cells) taken.beyond++;
    else if (found !== HOST && found !== code && found !== code + 1) taken.anothers++;
  }

  /** Whether a descriptor is one of a super-frame, or of a plain frame in a long mbuf. */
  #isSuperFrame(index: number, flags: number, word1: number): boolean {
    const [offset, length] = [word1 & 0xffff, word1 >>> 16];
    const room = index < this.#longFrom ? this.#stride : this.#longBytes;
    return flags !== 0 && offset >= SUPER_HEADER.END && length >= FRAME_MIN_BYTES &&
      offset + length <= room;
  }

  #countMalformed(word1: number, taken: TakenBack): void {
    const length = word1 >>> 16;
    taken.malformed++;
    if (length < FRAME_MIN_BYTES) taken.short++;
    else if (length > this.frameMax) taken.long++;
    else taken.outside++;
  }

  /**
   * Take back plain frames, up to the first descriptor that is of something else or is not sound;
   * returns how many. They stay where they are.
   */
  #takeUsual(words: Uint32Array, count: number, framed: number): number {
    const owners = this.#owners;
    const [lengths, stride] = [this.frameMax - FRAME_MIN_BYTES, this.#stride];
    for (let i = 0, end = count << 1; i < end; i += 2) {
      const index = words[i];
      const word1 = words[i + 1];
      const length = word1 >>> 16;
      if (
        index > DESCRIPTOR.INDEX_MASK || owners[index] !== framed ||
        (length - FRAME_MIN_BYTES) >>> 0 > lengths || (word1 & 0xffff) + length > stride
      ) return i >>> 1;
      owners[index] = HOST;
    }
    return count;
  }

  /** Make mbuf `index` the host's. Returns its old code, or HOST if it was not the guest's. */
  #take(index: number, code: number): number {
    if (index >= this.#cells) return HOST;
    const owners = this.#owners;
    const owner = owners[index];
    if (owner !== code && owner !== code + 1) return HOST;
    if (!this.shared) {
      owners[index] = HOST;
      return owner;
    }
    return Atomics.compareExchange(owners, index, owner, HOST) === owner ? owner : HOST;
  }
}
