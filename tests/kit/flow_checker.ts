import type { Mbufs } from "../../app/mempool/mbuf.ts";
import type { Addresses, FlowFrames, FrameTag } from "./flow_frame.ts";

/**
 * What can be wrong with frames that arrive. `corrupted`: a byte or the length has changed.
 * `duplicated`: the frame came before. `reordered`: it came after one that was sent later.
 * `misdelivered`: its flow ends elsewhere.
 */
export const WRONGS = ["corrupted", "duplicated", "reordered", "misdelivered"] as const;

/** Frames by what is wrong with them. */
export type Wrongs = Record<typeof WRONGS[number], number>;

/** Nothing is wrong. */
export function noWrongs(): Wrongs {
  return { corrupted: 0, duplicated: 0, reordered: 0, misdelivered: 0 };
}

/** What is wrong, in words; empty if nothing is. */
export function wrongsText(wrongs: Readonly<Record<string, number>>): string {
  return Object.entries(wrongs).filter(([, frames]) => frames > 0)
    .map(([kind, frames]) => `${frames} ${kind}`).join(", ");
}

/** The frames from `first` to before `end` have not come. */
export interface Gap {
  readonly first: number;
  readonly end: number;
}

/** Gaps that are remembered, to tell late frames from repeated ones. */
const GAPS_MAX = 4096;

/** Checks the frames of one flow where it ends. */
export class FlowChecker {
  readonly wrongs: Wrongs = noWrongs();
  /** Frames of other protocols, or of another run. */
  foreign = 0;
  /** Right frames, each once. */
  received = 0;
  /** Their bytes. */
  bytes = 0;
  /** The number that should come next. */
  next = 0;
  /** What the last right frame says of itself. */
  readonly tag: FrameTag = { flow: 0, number: 0, stamp: 0 };
  readonly #gaps: Gap[] = [];

  /**
   * @param flow The flow that ends here.
   * @param onGap Called when a frame comes before earlier ones that have not come.
   */
  constructor(
    private readonly frames: FlowFrames,
    private readonly flow: number,
    private readonly addresses: Addresses = "kept",
    private readonly onGap: (gap: Gap) => void = () => {},
  ) {}

  /** Frames that have not come although later ones have. */
  get missing(): number {
    return this.next - this.received;
  }

  /** Check a frame; true if it is right, and the next one or a later one. */
  check(mbufs: Mbufs, byte: number, bytes: number): boolean {
    const { tag, wrongs } = this;
    const verdict = this.frames.read(mbufs, byte, bytes, tag, this.addresses);
    if (verdict === "foreign") this.foreign++;
    else if (verdict === "corrupted") wrongs.corrupted++;
    else if (tag.flow !== this.flow) wrongs.misdelivered++;
    else if (tag.number < this.next) wrongs[this.#wasMissing(tag.number)]++;
    else {
      if (tag.number > this.next) this.#miss(tag.number);
      this.next = tag.number + 1;
      this.received++;
      this.bytes += bytes;
      return true;
    }
    return false;
  }

  /** All frames below `sent` that have not come are lost. */
  settle(sent: number): void {
    if (sent <= this.next) return;
    this.#miss(sent);
    this.next = sent;
  }

  #miss(end: number): void {
    const gap = { first: this.next, end };
    this.#gaps.push(gap);
    if (this.#gaps.length > GAPS_MAX) this.#gaps.shift();
    this.onGap(gap);
  }

  #wasMissing(number: number): "reordered" | "duplicated" {
    const at = this.#gaps.findIndex(({ first, end }) => number >= first && number < end);
    if (at < 0) return "duplicated";
    const { first, end } = this.#gaps[at];
    const rest = [{ first, end: number }, { first: number + 1, end }];
    this.#gaps.splice(at, 1, ...rest.filter((gap) => gap.first < gap.end));
    return "reordered";
  }
}
