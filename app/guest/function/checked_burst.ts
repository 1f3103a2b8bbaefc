import type { Mbufs } from "../../mempool/mbuf.ts";
import { FrameBurst } from "./frame_burst.ts";
import type { FrameSource } from "./frame_source.ts";
import type { Frames } from "./frames.ts";
import { placeIn } from "./place.ts";
import { refuseFrame, refuseOffset } from "./refuse.ts";

/**
 * A {@linkcode FrameBurst} that checks all that a function does, for `--check`, `culvert try` and
 * tests. A mistake that would be found after the function has returned throws at once, or its place
 * in the file is kept; indexes, offsets and lengths have to be whole numbers.
 */
export function checkedBurst(...parts: ConstructorParameters<typeof FrameBurst>): FrameBurst {
  return new CheckedBurst(...parts);
}

class CheckedBurst extends FrameBurst {
  readonly #frames: Frames;
  readonly #mbufs: Mbufs;
  #shown?: Uint32Array;

  constructor(
    frames: Frames,
    mbufs: Mbufs,
    outputs: readonly (object | undefined)[],
    source: FrameSource,
  ) {
    super(frames, mbufs, outputs, source);
    this.#frames = frames;
    this.#mbufs = mbufs;
    Object.defineProperty(this, "count", {
      get: () => frames.count,
      set(count: number) {
        if (count !== frames.count) frames.refuseCount(count, placeIn(new Error()));
      },
    });
  }

  override get words(): Uint32Array {
    const words = super.words;
    return this.#shown ??= new Proxy(words, {
      get: (words, key) => {
        const value = Reflect.get(words, key);
        return typeof value === "function" ? this.#watched(words, value) : value;
      },
      set: (words, key, value) => this.#setWord(words, Number(key), value >>> 0),
    });
  }

  override length(i: number): number {
    return super.length(this.#see(i));
  }

  override bytes(i: number): Uint8Array {
    return super.bytes(this.#see(i));
  }

  override headroom(i: number): number {
    return super.headroom(this.#see(i));
  }

  override drop(i: number): void {
    super.drop(this.#see(i));
  }

  override isDropped(i: number): boolean {
    return super.isDropped(this.#see(i));
  }

  override sendTo(i: number, port: number): void {
    super.sendTo(this.#see(i), port);
  }

  override copyTo(i: number, port: number): boolean {
    return super.copyTo(this.#see(i), port);
  }

  override add(port: number): number {
    const i = super.add(port);
    if (i >= 0) this.#note(i);
    return i;
  }

  protected override at(i: number, at: number, bytes: number): number {
    if (!Number.isInteger(at)) refuseOffset(this, this.#see(i), at, bytes);
    return super.at(this.#see(i), at, bytes);
  }

  protected override setData(i: number, offset: number, length: number): boolean {
    if (!Number.isInteger(offset) || !Number.isInteger(length)) {
      throw new RangeError(`Cannot let frame ${i} have ${length} bytes: a whole number is wanted`);
    }
    this.#note(this.#see(i));
    return super.setData(i, offset, length);
  }

  /** A frame that the burst has. */
  #see(i: number): number {
    if (!(Number.isInteger(i) && i >= 0 && i < this.count)) refuseFrame(this, i);
    return i;
  }

  /** Keep where a frame is changed. */
  #note(i: number): void {
    this.#frames.places[i] = placeIn(new Error());
  }

  #setWord(words: Uint32Array, at: number, value: number): boolean {
    const { count } = this;
    const refuse = (found: string) =>
      new RangeError(`Cannot set burst.words[${at}] to ${value} as ${found}`);
    if (!(at < 2 * count)) throw refuse(`the burst has ${count} frames, of two words each`);
    if (at % 2 === 0 && !this.#frames.isOwn(value)) {
      throw refuse("that is no frame of the burst: they may change places, and nothing else");
    }
    const room = this.#mbufs.roomOf(words[at & ~1]);
    if (at % 2 === 1 && (value & 0xffff) + (value >>> 16) > room) {
      throw refuse(`that is beyond the mbuf: offset and length may be ${room} together`);
    }
    words[at] = value;
    this.#note(at >>> 1);
    return true;
  }

  /** A method of the words, which may change all of them. */
  #watched(words: Uint32Array, method: (...args: unknown[]) => unknown) {
    return (...args: unknown[]) => {
      for (let i = 0; i < this.count; i++) this.#note(i);
      return method.apply(words, args);
    };
  }
}
