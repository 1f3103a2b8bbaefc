import { Ledger } from "../../app/channel/ledger.ts";
import { nothingTaken } from "../../app/channel/taken_back.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { shim } from "../../ffi/shim.ts";
import { meetAt, serveOrder, type StartLine } from "../ffi/run_workers.ts";
import { Burst } from "../../app/ring/burst.ts";

/** What each of the two Workers is to do. */
export interface LedgerOrder {
  readonly owners: SharedArrayBuffer;
  readonly count: number;
  readonly bursts: number;
  /** Word 0 the start line, 1 and 2 how far each Worker is. */
  readonly shared: StartLine;
  readonly id: 0 | 1;
  readonly call: "takeFrames" | "takeEmpties";
  /** Each Worker's wins, by mbuf. */
  readonly wins: Uint8Array<SharedArrayBuffer>;
}

/** What it saw. */
export interface LedgerAnswer {
  readonly won: number;
  readonly foreign: number;
}

const GUEST = 3;

/** Take back every mbuf, in step with the other Worker, as if a guest had given each to both. */
serveOrder((order: LedgerOrder): LedgerAnswer => {
  const geometry = { offset: 0, stride: 2048, count: order.count };
  const ledger = new Ledger(order.owners, geometry, 1518, true);
  const size = order.count / order.bursts;
  const burst = Burst.of(size);
  const malformed = Burst.of(size);
  const taken = nothingTaken();
  let won = 0;
  meetAt(order.shared, 2);
  for (let round = 0; round < order.bursts; round++) {
    for (let i = 0; i < size; i++) burst.words.set([round * size + i, dataWord(128, 60)], 2 * i);
    Atomics.store(order.shared, 1 + order.id, round + 1);
    for (let spins = 0; Atomics.load(order.shared, 2 - order.id) <= round; spins++) {
      if (spins > 1e7) throw new Error("the other Worker is gone");
      if (spins > 1000) shim.shim_yield();
    }
    const n = order.call === "takeFrames"
      ? ledger.takeFrames(burst, size, GUEST, malformed, taken)
      : ledger.takeEmpties(burst, size, GUEST, taken);
    for (let i = 0; i < n; i++) Atomics.add(order.wins, burst.words[2 * i], 1);
    won += n;
  }
  return { won, foreign: taken.foreign };
});
