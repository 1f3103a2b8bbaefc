import { deepEqual, equal } from "node:assert/strict";
import { Burst } from "../../app/ring/burst.ts";
import { Ledger } from "../../app/channel/ledger.ts";
import { dataWord, EMPTY_DATA } from "../../app/mempool/mbuf.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { TestHost } from "./test_host.ts";
import { counted } from "./test_ports.ts";

/** Let a lane lend until it stops, and take all: how many mbufs that is. */
function lendAll(lab: TestHost, wantsMbufs: boolean): number {
  const [lane] = lab.lane();
  const guest = lab.attachPort(wantsMbufs);
  const burst = Burst.of(64);
  let lent = 0;
  for (let turn = 0; turn < 100; turn++) {
    lane.lendMbufs();
    lent += guest.allocBurst(burst, 64);
  }
  return lent;
}

Deno.test("Lane lends no mbufs while there is no guest, nor to one that wants none", () => {
  using lab = new TestHost();
  const [lane] = lab.lane();
  lane.lendMbufs();
  equal(lab.free, 256);
  equal(lendAll(lab, false), 0);
  lab.checkAccounts();
});

Deno.test("Lane lends bursts of empty mbufs to a guest that wants them, while the ring has room", () => {
  using lab = new TestHost({ ringSize: 64 });
  const [lane] = lab.lane();
  const guest = lab.attachPort(true);
  for (let turn = 0; turn < 10; turn++) lane.lendMbufs();
  equal(lab.free, 256 - 64);
  equal(lab.region.ledger.framesHeldBy(0), 0, "they hold no frames");
  const burst = Burst.of(65);
  equal(guest.allocBurst(burst, 65), 64);
  for (let i = 0; i < 64; i++) equal(burst.words[2 * i + 1], EMPTY_DATA);
  lane.lendMbufs();
  equal(lab.free, 256 - 96);
  lab.cutOff();
  deepEqual(counted(lab.counters[0]), {});
  lab.checkAccounts();
});

for (const mbufs of [64, 256, 400]) {
  Deno.test(`Lane keeps a quarter of ${mbufs} mbufs for ports, but for a burst`, () => {
    using lab = new TestHost({ mbufs });
    const lent = lendAll(lab, true);
    equal(lent % 32, 0);
    const left = mbufs - lent;
    equal(left < mbufs / 4 || left < 32, true, `${left} are left: it could lend more`);
    equal(left >= 0 && left + 32 >= mbufs / 4, true, `${left} are left: it lent too many`);
    lab.cutOff();
    lab.checkAccounts();
  });
}

Deno.test("Lane counts frames in mbufs lent empty as originated, good or malformed", () => {
  using lab = new TestHost();
  const [lane, port] = lab.lane();
  const guest = lab.attachPort(true);
  lane.lendMbufs();
  const burst = Burst.of(32);
  equal(guest.allocBurst(burst, 32), 32);
  for (let i = 0; i < 10; i++) burst.words[2 * i + 1] = EMPTY_DATA | (i < 7 ? 60 : 13) << 16;
  guest.txBurst(burst, 10);
  guest.free(burst, 22, 10);
  equal(lane.guestToHost(), 10);
  equal(lane.takeGiveback(), 22);
  deepEqual(counted(lab.counters[0]), { ORIGINATED: 10, TX: 7, MALFORMED: 3, SHORT: 3 });
  equal(port.sent.length, 14);
  lab.checkAccounts();
});

Deno.test("Lane lends mbufs through a ring smaller than a burst", () => {
  using lab = new TestHost({ ringSize: 16 });
  equal(lendAll(lab, true) >= 192 - 32, true);
  lab.cutOff();
  lab.checkAccounts();
});

for (const what of ["frames", "empty mbufs"]) {
  Deno.test(`Lanes free no mbuf twice if a guest sends ${what} by another lcore before it gets them`, () => {
    using lab = new TestHost({ ports: 2, lcores: 2, ringSize: 16 });
    const guest = lab.guests.r00;
    guest.claim(true);
    lab.turns(6);
    const [lender, taker] = lab.threads.map((thread) => thread.running!.lanes[0]);
    const { lend } = Ledger.prototype;
    Ledger.prototype.lend = function (burst, count, ...rest) {
      const flags = lend.call(this, burst, count, ...rest);
      const guessed = Burst.of(16);
      const n = Math.min(count, 16);
      for (let i = 0; i < n; i++) {
        guessed.words[2 * i] = burst.words[2 * i];
        guessed.words[2 * i + 1] = dataWord(128, 60);
      }
      guest.channels[1].tx.enqueueBurst(guessed, n);
      taker.guestToHost();
      return flags;
    };
    try {
      for (let i = 0; i < 5; i++) { // until there is no room, and then
        lab.ports.p0.waiting = 32;
        if (what === "frames") lender.hostToGuest();
        else lender.lendMbufs();
      }
    } finally {
      Ledger.prototype.lend = lend;
    }
    lab.ports.p0.waiting = 0;
    lab.end();
  });
}

Deno.test("Lane.refresh() adds impossible positions to those of the host before", () => {
  using lab = new TestHost();
  const [lane] = lab.lane();
  lab.counters[0][COUNTER.POSITION] = 300;
  lane.refresh(0, 0);
  lane.refresh(0, 0);
  equal(lab.counters[0][COUNTER.POSITION], 300);
});
