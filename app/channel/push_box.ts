import { CulvertError } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { printable } from "../linux/printable.ts";
import { PUSH, PUSH_STATE, ZONE_KIND } from "../memory/layout.ts";
import type { Region } from "../memory/region.ts";

/** The memzone's name. */
const NAME = "push";

/** Bytes of text that fit: a share of the region, within limits. */
const SHARE = 128, TEXT_BYTES_MIN = 8 << 10, TEXT_BYTES_MAX = 1 << 20;

/** A text that was pushed to a guest, copied out of the region: nobody changes it any more. */
export interface PushedText {
  /** Which push it is. */
  readonly sequence: number;
  /** The text; undefined if its length is impossible. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
  /** The hash that the text has to have. */
  readonly hash: Uint8Array;
}

/** What a guest says of a push. */
export interface PushAnswer {
  /** One of `PUSH_STATE`. */
  readonly state: number;
  /** What has come of it, for people. */
  readonly text: string;
}

/** The memzone by which functions are pushed to guests: see `PUSH` in the layout. */
export class PushBox {
  /** Most bytes that a text may have. */
  readonly capacity: number;
  readonly #memory: MappedMemory;
  readonly #start: number;

  private constructor(region: Region, offset: number, capacity: number) {
    this.capacity = capacity;
    this.#memory = region.memory;
    this.#start = offset >>> 2;
  }

  /** Host: add the memzone to a region that is being built. The host does not use it. */
  static add(region: Region): void {
    const share = Math.floor(region.memory.bytes / SHARE);
    const bytes = Math.min(TEXT_BYTES_MAX, Math.max(TEXT_BYTES_MIN, share));
    region.addMemzone(NAME, ZONE_KIND.PUSH, PUSH.TEXT * 4 + bytes, bytes);
  }

  /**
   * Find the memzone.
   *
   * @throws {CulvertError} if the region has none.
   */
  static find(region: Region): PushBox {
    const { offset, size, parameter } = region.zone(NAME, ZONE_KIND.PUSH);
    return new PushBox(region, offset, Math.min(parameter, Math.max(0, size - PUSH.TEXT * 4)));
  }

  /** Number of the last push; 0 if there is none. */
  get sequence(): number {
    return this.#memory.load(this.#start + PUSH.SEQUENCE);
  }

  /**
   * Leave a text for a guest.
   *
   * @returns which push it is.
   * @throws {CulvertError} if it does not fit.
   */
  async push(guest: number, text: Uint8Array<ArrayBuffer>): Promise<number> {
    if (text.length > this.capacity) {
      throw new CulvertError(
        `Cannot push ${text.length} bytes as ${this.capacity} fit into this region: import less, ` +
          "or give the host a larger --size",
      );
    }
    const hash = await hashOf(text);
    const { u8, u32 } = this.#memory;
    const start = this.#start;
    const sequence = newSequence(this.sequence);
    this.#memory.store(start + PUSH.SEQUENCE, 0); // the text is not whole from here on
    u8.set(text, (start + PUSH.TEXT) * 4);
    u8.set(hash, (start + PUSH.HASH) * 4);
    u32[start + PUSH.GUEST] = guest;
    u32[start + PUSH.LENGTH] = text.length;
    this.#memory.store(start + PUSH.SEQUENCE, sequence); // pairs with the load in take()
    return sequence;
  }

  /** Take a push back that no guest has seen; false if one has. */
  takeBack(sequence: number): boolean {
    return this.answerTo(sequence) === undefined &&
      this.#memory.compareAndSwap(this.#start + PUSH.SEQUENCE, sequence, 0);
  }

  /** What the guest says of a push, fit for a terminal; undefined if it has said nothing yet. */
  answerTo(sequence: number): PushAnswer | undefined {
    const start = this.#start;
    if (this.#memory.load(start + PUSH.ANSWERED) !== sequence) return undefined;
    const state = this.#memory.load(start + PUSH.STATE); // pairs with the store in answer()
    const { u8, u32 } = this.#memory;
    const length = Math.min(u32[start + PUSH.ANSWER_LENGTH], PUSH.ANSWER_BYTES);
    const at = (start + PUSH.ANSWER) * 4;
    return { state, text: printable(new TextDecoder().decode(u8.slice(at, at + length))) };
  }

  /** Guest: what was pushed to `guest` since push number `last`, if anything. */
  take(guest: number, last: number): PushedText | undefined {
    const start = this.#start;
    const { u8, u32 } = this.#memory;
    const sequence = this.sequence; // pairs with the store in push()
    if (sequence === 0 || sequence === last || u32[start + PUSH.GUEST] !== guest) return undefined;
    const length = u32[start + PUSH.LENGTH];
    const [hashAt, textAt] = [(start + PUSH.HASH) * 4, (start + PUSH.TEXT) * 4];
    return {
      sequence,
      hash: u8.slice(hashAt, hashAt + PUSH.HASH_WORDS * 4),
      ...length > this.capacity
        ? {}
        : { bytes: Uint8Array.from(u8.slice(textAt, textAt + length)) },
    };
  }

  /** Guest: say that a push has been seen. */
  see(sequence: number): void {
    this.#memory.store(this.#start + PUSH.STATE, PUSH_STATE.SEEN);
    this.#memory.store(this.#start + PUSH.ANSWERED, sequence); // pairs with the load in answerTo()
  }

  /**
   * Guest: say what has become of a push. What does not fit is cut off; nothing is said once a
   * later push has been seen, whose answer it would be taken for.
   */
  answer(sequence: number, { state, text }: PushAnswer): void {
    const start = this.#start;
    if (this.#memory.load(start + PUSH.ANSWERED) !== sequence) return;
    const bytes = new Uint8Array(PUSH.ANSWER_BYTES);
    const { written } = new TextEncoder().encodeInto(text, bytes);
    this.#memory.u8.set(bytes, (start + PUSH.ANSWER) * 4);
    this.#memory.u32[start + PUSH.ANSWER_LENGTH] = written;
    this.#memory.store(start + PUSH.STATE, state); // pairs with the load in answerTo()
  }
}

/** Whether a text that was taken is the one that was pushed. */
export async function isWhole({ bytes, hash }: PushedText): Promise<boolean> {
  if (bytes === undefined) return false;
  const found = await hashOf(bytes);
  return found.every((byte, i) => byte === hash[i]);
}

async function hashOf(text: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", text));
}

/**
 * Any number but 0 and the last one: of two programs that push at once, each knows its own push.
 */
function newSequence(last: number): number {
  const [word] = crypto.getRandomValues(new Uint32Array(1));
  return word === 0 || word === last ? newSequence(last) : word;
}
