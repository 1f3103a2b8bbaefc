import { DESCRIPTOR_FLAG, FRAME_MIN_BYTES } from "../../memory/layout.ts";
import type { Mbufs } from "../../mempool/mbuf.ts";
import type { Burst } from "../../ring/burst.ts";

/** Marks of a frame: NONE, for its lane's port; DROP; any other is a port's number, plus 1. */
export const MARK = { NONE: 0, DROP: 255 } as const;

/**
 * A function has left frames that cannot be sent; the message says where it did, if that is known.
 */
export class MisuseError extends RangeError {
  /**
   * What was done.
   *
   * @param place What `--check` knows of where it was done.
   */
  constructor(message: string, place: string | undefined) {
    super(`${message}${place === undefined ? "; --check tells where" : ` ${place}`}`);
    this.stack = message; // where this was found out does not matter
  }
}

/**
 * The frames of a lane's burst, their marks, and what has to be checked before they are sent. The
 * functions see them as a `FrameBurst`, which lets them change nothing else.
 */
export class Frames {
  /** Frames in the burst. */
  count = 0;
  /** Whether any frame has a mark. */
  isMarked = false;
  /** Whether frames may have other lengths than they were received with, or are made. */
  isResized = false;
  /** Whether functions of this lane have had the words: then they may have changed them. */
  areWordsKnown = false;
  /** Two words a frame, its descriptor. */
  readonly words: Uint32Array;
  /** For each frame one of {@linkcode MARK}, or a port's number plus 1. */
  readonly marks: Uint8Array;
  /** By a frame's index, where a function has changed it; kept only by a checked burst. */
  readonly places: (string | undefined)[] = [];
  /** The words as they were before the function got them. */
  readonly #kept: Uint32Array;
  /** Frames that the words may name: those of this burst, and others before. */
  #used = 0;

  /**
   * Frames of `burst`, none at first.
   *
   * @param frameMax The longest frame that is sent and is no super-frame, in bytes.
   */
  constructor(
    readonly burst: Burst,
    private readonly mbufs: Pick<Mbufs, "roomOf">,
    private readonly frameMax: number,
  ) {
    this.words = burst.words;
    this.marks = new Uint8Array(burst.capacity);
    this.#kept = new Uint32Array(burst.words.length);
  }

  /** Most frames that there is room for. */
  get capacity(): number {
    return this.marks.length;
  }

  /**
   * Begin a burst of `count` frames. Descriptors behind them get the length 0, so that no function
   * can read or write there.
   */
  begin(count: number): void {
    const { words } = this;
    for (let i = count; i < this.#used; i++) words[(i << 1) + 1] = 0;
    this.count = this.#used = count;
    this.isResized = false;
  }

  /** A function is about to get the burst. */
  enter(): void {
    if (this.areWordsKnown) this.#keep();
    if (this.places.length > 0) this.places.length = 0;
  }

  /** A function asks for the words. */
  showWords(): Uint32Array {
    if (!this.areWordsKnown) this.#keep();
    this.areWordsKnown = true;
    return this.words;
  }

  /** Whether frame `i` is a super-frame. */
  isSuper(i: number): boolean {
    return (this.words[i << 1] & DESCRIPTOR_FLAG.SUPER) !== 0;
  }

  /** Say where frame `i` goes: one of {@linkcode MARK}, or a port's number plus 1. */
  mark(i: number, mark: number): void {
    this.marks[i] = mark;
    this.isMarked = true;
  }

  /** Set word 1 of the descriptor of frame `i`: which bytes of its mbuf the frame has now. */
  resize(i: number, word1: number): void {
    const { words } = this;
    words[(i << 1) + 1] = word1;
    this.isResized = true;
    if (this.areWordsKnown) this.#kept[this.#placeOf(words[i << 1]) + 1] = word1;
  }

  /** A frame was made, as the last one: it has the descriptor behind the others. */
  append(mark: number): void {
    const i = this.count++;
    this.#used = Math.max(this.#used, this.count);
    this.marks[i] = mark;
    this.isMarked = true;
    this.isResized = true;
    this.#kept[i << 1] = this.words[i << 1];
    this.#kept[(i << 1) + 1] = this.words[(i << 1) + 1];
  }

  /**
   * Check that a function that knows the words has left the burst's own mbufs in them, each once,
   * in whatever order, and frames that lie inside. If it has not, they are put back.
   *
   * @throws {MisuseError} that says what is wrong.
   */
  checkWords(): void {
    const { words, count } = this;
    const kept = this.#kept;
    let isSame = true;
    let flags = 0;
    for (let i = 0; i < count; i++) {
      const word1 = words[(i << 1) + 1];
      if ((word1 & 0xffff) + (word1 >>> 16) > this.mbufs.roomOf(words[i << 1])) {
        this.#refuse(i, "beyond its mbuf");
      }
      if (words[i << 1] !== kept[i << 1]) isSame = false;
      flags |= words[i << 1];
    }
    if ((flags & DESCRIPTOR_FLAG.SUPER) !== 0) this.#checkSuper();
    if (isSame) return;
    const own = new Set<number>();
    for (let i = 0; i < count; i++) own.add(kept[i << 1]);
    const left = new Set(own);
    for (let i = 0; i < count; i++) {
      const word = words[i << 1];
      if (!left.delete(word)) {
        this.#refuse(i, own.has(word) ? "a second time" : "in an mbuf that is not the burst's");
      }
    }
  }

  /**
   * Refuse what a function has made of `burst.count`.
   *
   * @param place Where, if that is known.
   * @throws {MisuseError} always.
   */
  refuseCount(count: number, place?: string): never {
    const wanted = "drop frames by drop(), make others by add()";
    throw new MisuseError(`Cannot set burst.count to ${count}: ${wanted}`, place);
  }

  /** Whether `word` is word 0 of one of the burst's frames, as the function got them. */
  isOwn(word: number): boolean {
    return this.#placeOf(word) >= 0;
  }

  /**
   * Mark as dropped the frames that are too short or too long to be sent.
   *
   * @param dropped Told why.
   * @returns how many there are.
   */
  dropUnsendable(dropped: (error: MisuseError) => void): number {
    const { words, marks, count, frameMax } = this;
    let found = 0;
    for (let i = 0; i < count; i++) {
      const length = words[(i << 1) + 1] >>> 16;
      const isSendable = length >= FRAME_MIN_BYTES && (length <= frameMax || this.isSuper(i));
      if (isSendable || marks[i] === MARK.DROP) continue;
      if (found++ === 0) {
        const what = `frame ${i} of ${length} bytes: ${FRAME_MIN_BYTES} to ${frameMax} can be sent`;
        dropped(new MisuseError(`Cannot send ${what}`, this.places[i]));
      }
      marks[i] = MARK.DROP;
      this.isMarked = true;
    }
    return found;
  }

  /**
   * A function has thrown that was given `count` frames: drop those that it has made, and the
   * others, unless they `pass`. Returns how many of the others are dropped.
   */
  giveUp(count: number, pass: boolean): number {
    const { marks } = this;
    for (let i = 0; i < this.count; i++) {
      if (i >= count || !pass) marks[i] = MARK.DROP;
      else if (marks[i] === MARK.DROP) marks[i] = MARK.NONE;
    }
    this.isMarked = true;
    return pass ? 0 : count;
  }

  /**
   * Take the frames that are marked to be dropped out of the burst; the others move up, with their
   * marks.
   *
   * @param dropped Gets the descriptors of those that were taken out.
   * @returns how many there were.
   */
  takeDropped(dropped: Uint32Array): number {
    const { marks, words, count } = this;
    let kept = 0;
    let drops = 0;
    let isMarked = false;
    for (let i = 0; i < count; i++) {
      const mark = marks[i];
      marks[i] = MARK.NONE;
      if (mark === MARK.DROP) {
        dropped[drops << 1] = words[i << 1];
        dropped[(drops++ << 1) + 1] = words[(i << 1) + 1]; // for captures
        continue;
      }
      words[kept << 1] = words[i << 1];
      words[(kept << 1) + 1] = words[(i << 1) + 1];
      marks[kept++] = mark;
      isMarked ||= mark !== MARK.NONE;
    }
    this.count = kept;
    this.isMarked = isMarked;
    return drops;
  }

  /** Where the descriptor with this word 0 was kept; below 0 if the burst has none. */
  #placeOf(word0: number): number {
    for (let at = 0; at < this.count << 1; at += 2) if (this.#kept[at] === word0) return at;
    return -2;
  }

  /** Refuse a super-frame that was moved: its offload header lies in front of it. */
  #checkSuper(): void {
    for (let i = 0; i < this.count; i++) {
      if (!this.isSuper(i)) continue;
      const last = this.#kept[this.#placeOf(this.words[i << 1]) + 1];
      if (((this.words[(i << 1) + 1] ^ last) & 0xffff) !== 0) {
        this.#refuse(i, "that is a super-frame and was moved");
      }
    }
  }

  #keep(): void {
    const { words, count } = this;
    const kept = this.#kept;
    for (let at = 0, end = count << 1; at < end; at++) kept[at] = words[at];
  }

  #refuse(i: number, where: string): never {
    const place = this.places[i];
    this.words.set(this.#kept.subarray(0, this.count << 1));
    throw new MisuseError(`Cannot send frame ${i} ${where}, as burst.words has it`, place);
  }
}
