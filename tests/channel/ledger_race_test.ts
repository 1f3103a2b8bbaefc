import { deepEqual, equal, ok } from "node:assert/strict";
import { Ledger } from "../../app/channel/ledger.ts";
import { nothingTaken } from "../../app/channel/taken_back.ts";
import { runWorkers } from "../ffi/run_workers.ts";
import type { LedgerAnswer, LedgerOrder } from "./ledger_worker.ts";
import { Burst } from "../../app/ring/burst.ts";

const GUEST = 3, BURSTS = 4000, COUNT = BURSTS * 16;

for (const call of ["takeFrames", "takeEmpties"] as const) {
  Deno.test(`Ledger.${call}() on two lcores: of an mbuf given to both, just one gets it`, async () => {
    const owners = new SharedArrayBuffer(COUNT);
    const ledger = new Ledger(owners, { offset: 0, stride: 2048, count: COUNT }, 1518, true);
    const all = Burst.of(COUNT);
    for (let index = 0; index < COUNT; index++) all.words[2 * index] = index;
    ledger.lend(all, COUNT, GUEST, true);
    const order = {
      owners,
      count: COUNT,
      bursts: BURSTS,
      call,
      shared: new Int32Array(new SharedArrayBuffer(12)),
      wins: new Uint8Array(new SharedArrayBuffer(COUNT)),
    };
    const [one, two] = await runWorkers<LedgerOrder, LedgerAnswer>(
      new URL("./ledger_worker.ts", import.meta.url),
      [{ ...order, id: 0 }, { ...order, id: 1 }],
    );
    const wrong = order.wins.findIndex((times) => times !== 1);
    equal(wrong, -1, `mbuf ${wrong} was given ${order.wins[wrong]} times`);
    equal(one.won + two.won, COUNT);
    equal(one.foreign + two.foreign, COUNT);
    equal(ledger.framesHeldBy(GUEST), 0);
    ok(one.won > 0 && two.won > 0, `no race: ${one.won} and ${two.won}`);
  });
}

for (const call of ["takeFrames", "takeEmpties"] as const) {
  Deno.test(`Ledger.${call}() that loses a race counts a handle given twice, whoever has it then`, () => {
    const ledger = new Ledger(
      new SharedArrayBuffer(1),
      { offset: 0, stride: 2048, count: 1 },
      1518,
      true,
    );
    const burst = Burst.of(1);
    burst.words[1] = 60 << 16;
    ledger.lend(burst, 1, GUEST, true);
    const { compareExchange } = Atomics;
    // Another lcore takes the mbuf back, and lends it to another guest.
    Atomics.compareExchange = (() => {
      ledger.lend(burst, 1, GUEST + 1, true);
      return 0;
    }) as unknown as typeof compareExchange;
    const taken = nothingTaken();
    try {
      if (call === "takeEmpties") ledger.takeEmpties(burst, 1, GUEST, taken);
      else ledger.takeFrames(burst, 1, GUEST, Burst.of(1), taken);
    } finally {
      Atomics.compareExchange = compareExchange;
    }
    deepEqual([taken.foreign, taken.anothers, taken.beyond], [1, 0, 0]);
    equal(ledger.framesHeldBy(GUEST + 1), 1);
  });
}
