import { FRAME_MIN_BYTES } from "../../app/memory/layout.ts";
import type { Mbufs } from "../../app/mempool/mbuf.ts";
import { SoakFrames } from "../soak/soak_frame.ts";
import { CANARY, findWord, MBUF_HEAD } from "./canary.ts";

/** What left by a port of the region under attack. */
export interface Leaks {
  /** Frames that were looked at, every byte. */
  left: number;
  /** Those with a canary in them. */
  canaries: number;
  /** Those that go on in another mbuf. */
  crossing: number;
  /** Those that are longer than the host's limit. */
  tooLong: number;
  /** Those that are shorter than an Ethernet header. */
  tooShort: number;
  /** Those that were the other region's. */
  strays: number;
}

/** Looks at frames that have left the host by a port of the region under attack. */
export class LeakJudge {
  readonly leaks: Leaks = { left: 0, canaries: 0, crossing: 0, tooLong: 0, tooShort: 0, strays: 0 };
  /** The first frame that should not have left: its length, and how it begins, in hexadecimal. */
  firstLeak = "";
  readonly #theirs: SoakFrames;
  readonly #tag = { flow: 0, number: 0, stamp: 0 };

  /**
   * @param frameMax The longest frame that the host may send.
   * @param run Tells the frames of the other region.
   */
  constructor(private readonly frameMax: number, run: number) {
    this.#theirs = new SoakFrames(run, frameMax);
  }

  /** Look at the `bytes` at `byte`, a multiple of four. */
  look(mbufs: Mbufs, byte: number, bytes: number): void {
    const { leaks } = this;
    const before = this.#wrong();
    leaks.left++;
    if (bytes > this.frameMax) leaks.tooLong++;
    if (bytes < FRAME_MIN_BYTES) leaks.tooShort++;
    if (findWord(mbufs.u8, byte, bytes, CANARY) >= 0) leaks.canaries++;
    if (findWord(mbufs.u8, byte + 1, bytes - 1, MBUF_HEAD) >= 0) leaks.crossing++;
    // Attackers write no such EtherType: of what is in their mbufs none can be taken for one of these.
    if (this.#theirs.read(mbufs, byte, bytes, this.#tag) !== "foreign") leaks.strays++;
    if (this.#wrong() === before || this.firstLeak !== "") return;
    this.firstLeak = `${bytes} bytes: ${mbufs.u8.slice(byte, byte + Math.min(bytes, 64)).toHex()}`;
  }

  #wrong(): number {
    const { canaries, crossing, tooLong, tooShort, strays } = this.leaks;
    return canaries + crossing + tooLong + tooShort + strays;
  }
}
