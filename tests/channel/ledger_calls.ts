import { Ledger } from "../../app/channel/ledger.ts";
import { nothingTaken, type TakenBack } from "../../app/channel/taken_back.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { Burst } from "../../app/ring/burst.ts";
import { burstOf, wordsOf } from "../kit/burst_of.ts";

/** How many mbufs the ledger has. */
export const COUNT = 64;
/** Bytes of an mbuf. */
export const STRIDE = 2048;
/** Bytes that a frame may have. */
export const FRAME_MAX = 1518;
/** Offset and length of a frame that nobody minds. */
export const GOOD = dataWord(128, 60);
type Counted = Pick<
  TakenBack,
  "frames" | "originated" | "malformed" | "malformedFrames" | "foreign"
>;
/** Nothing was taken, and nothing was wrong. */
export const NOTHING: Counted = countedOf(nothingTaken());

/** What was counted, but for the kinds of violations. */
function countedOf(taken: TakenBack): Counted {
  const { frames, originated, malformed, malformedFrames, foreign } = taken;
  return { frames, originated, malformed, malformedFrames, foreign };
}

/** A ledger of 64 mbufs, all the host's. */
export function ledgerOf({ several = false, frameMax = FRAME_MAX } = {}): Ledger {
  const geometry = { offset: 0, stride: STRIDE, count: COUNT };
  return new Ledger(new SharedArrayBuffer(COUNT), geometry, frameMax, several);
}

/** How many mbufs `guest` holds, by the bytes of the ledger. */
export function heldBy(ledger: Ledger, guest: number): number {
  return [...new Uint8Array(ledger.buffer)].filter((code) => code === 1 + 2 * guest).length +
    ledger.framesHeldBy(guest);
}

/** Descriptors of these mbufs, with good frames in them. */
export function descriptorsOf(indexes: readonly number[], word1 = GOOD): Burst {
  return burstOf(indexes.flatMap((index) => [index, word1]));
}

/** Hand the burst to `takeFrames`; tell all that comes of it. */
export function takeFrames(ledger: Ledger, guest: number, burst: Burst) {
  const all = nothingTaken();
  const malformed = Burst.of(burst.capacity);
  const good = ledger.takeFrames(burst, burst.count, guest, malformed, all);
  const taken = countedOf(all);
  return {
    all,
    good: wordsOf(burst, good),
    malformed: [...malformed.words],
    taken,
  };
}

/** The same for `takeEmpties`: the mbufs that are good. */
export function takeEmpties(ledger: Ledger, guest: number, burst: Burst) {
  const all = nothingTaken();
  const good = ledger.takeEmpties(burst, burst.count, guest, all);
  const taken = countedOf(all);
  return { all, good: Array.from({ length: good }, (_, i) => burst.words[2 * i]), taken };
}
