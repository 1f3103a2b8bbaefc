import { FRAME_MIN_BYTES } from "../../app/memory/layout.ts";
import type { Mbufs } from "../../app/mempool/mbuf.ts";
import { CANARY, findWord, MBUF_HEAD } from "../kit/canary.ts";
import { isFlowFrame } from "../kit/flow_frame.ts";

/** Looks at frames that have left the host by a port of the attacked region. */
export class LeakJudge {
  /** Frames that were looked at, every byte. */
  left = 0;
  /** Frames by what is wrong with them. */
  readonly wrongs = {
    "with a canary": 0,
    "that go on in another mbuf": 0,
    "that are too long": 0,
    "that are too short": 0,
    "of the other region": 0,
  };
  /** The first wrong frame: its length, and how it begins, in hexadecimal. */
  firstLeak = "";

  /** @param frameMax The longest frame that the host may send. */
  constructor(private readonly frameMax: number) {}

  /** Look at the `bytes` at `byte`. */
  look(mbufs: Mbufs, byte: number, bytes: number): void {
    const { wrongs } = this;
    const before = this.#sum();
    this.left++;
    if (bytes > this.frameMax) wrongs["that are too long"]++;
    if (bytes < FRAME_MIN_BYTES) wrongs["that are too short"]++;
    if (findWord(mbufs.u8, byte, bytes, CANARY) >= 0) wrongs["with a canary"]++;
    const isCrossing = findWord(mbufs.u8, byte + 1, bytes - 1, MBUF_HEAD) >= 0;
    if (isCrossing) wrongs["that go on in another mbuf"]++;
    // Only traffic in the other region has this EtherType: hostile guests cannot write it.
    if (isFlowFrame(mbufs, byte)) wrongs["of the other region"]++;
    if (this.#sum() === before || this.firstLeak !== "") return;
    this.firstLeak = `${bytes} bytes: ${mbufs.u8.slice(byte, byte + Math.min(bytes, 64)).toHex()}`;
  }

  #sum(): number {
    return Object.values(this.wrongs).reduce((sum, frames) => sum + frames, 0);
  }
}
