import { deepEqual, equal } from "node:assert/strict";
import { Burst } from "../../app/ring/burst.ts";
import { burstOf } from "../kit/burst_of.ts";
import { CHANNEL, RING, SLEEP } from "../../app/memory/layout.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { NullPort } from "../../app/port/null_port.ts";
import type { MakePort } from "../../app/host/host_lcore.ts";
import { RingPort } from "../../app/port/ring_port.ts";
import { TestHost } from "./test_host.ts";
import { counted } from "./test_ports.ts";

const BURST = 32;
const nullPort: MakePort = (_, resources) => new NullPort("null", 64, resources);

Deno.test("Lane drops and counts what it receives while there is no guest", () => {
  using lab = new TestHost({ makePort: nullPort });
  const [lane] = lab.lane();
  equal(lane.hostToGuest(), BURST);
  equal(lane.guestToHost(), 0);
  equal(lane.takeGiveback(), 0);
  deepEqual(counted(lab.counters[0]), { RX: 32, RX_BYTES: 32 * 64, NO_GUEST: 32 });
  lab.checkAccounts();
});

Deno.test("Lane lends what it receives, and sends what comes back", () => {
  using lab = new TestHost({ makePort: nullPort });
  const [lane] = lab.lane();
  const guest = lab.attachPort();
  const burst = Burst.of(64);
  equal(lane.hostToGuest(), BURST);
  equal(lab.region.ledger.framesHeldBy(0), BURST);
  equal(guest.rxBurst(burst, 64), BURST);
  equal(guest.txBurst(burst, 20), 20);
  equal(lane.guestToHost(), 20);
  equal(lab.region.ledger.framesHeldBy(0), 12);
  equal(guest.txBurst(burst, 12, 20), 12);
  equal(lane.guestToHost(), 12);
  deepEqual(counted(lab.counters[0]), { RX: 32, RX_BYTES: 32 * 64, TX: 32, TX_BYTES: 32 * 64 });
  lab.checkAccounts();
});

Deno.test("Lane moves no more than a burst a turn, and nothing when there is nothing", () => {
  using lab = new TestHost();
  const [lane, port] = lab.lane();
  const guest = lab.attachPort();
  const burst = Burst.of(64);
  port.waiting = 33;
  equal(lane.hostToGuest(), 32);
  equal(lane.hostToGuest(), 1);
  equal(lane.hostToGuest(), 0);
  equal(guest.rxBurst(burst, 64), 33);
  guest.txBurst(burst, 33);
  equal(lane.guestToHost(), 32);
  equal(lane.guestToHost(), 1);
  equal(lane.guestToHost(), 0);
  lab.checkAccounts();
});

Deno.test("Lane sends frames as the guest says: where they start, how long they are", () => {
  using lab = new TestHost();
  const [lane, port] = lab.lane();
  const guest = lab.attachPort();
  const burst = Burst.of(4);
  port.waiting = 2;
  lane.hostToGuest();
  guest.rxBurst(burst, 2);
  const [a, b] = [burst.words[0], burst.words[2]];
  const tx = burstOf([b | 0xfb << 24, dataWord(100, 1522), a, dataWord(0, 14)]);
  guest.txBurst(tx, 2);
  equal(lane.guestToHost(), 2);
  deepEqual(port.sent, [b, dataWord(100, 1522), a, dataWord(0, 14)], "without the flags");
  lab.checkAccounts();
});

Deno.test("Lane drops and counts what the guest's ring has no room for", () => {
  using lab = new TestHost({ makePort: nullPort, ringSize: 16 });
  const [lane] = lab.lane();
  const guest = lab.attachPort();
  const burst = Burst.of(32);
  equal(lane.hostToGuest(), BURST);
  deepEqual(counted(lab.counters[0]), { RX: 32, RX_BYTES: 2048, RING_FULL: 16 });
  equal(lab.region.ledger.framesHeldBy(0), 16);
  equal(guest.rxBurst(burst, 32), 16);
  guest.txBurst(burst, 16);
  equal(lane.guestToHost(), 16);
  lab.checkAccounts();
});

for (
  const [what, word1, kind] of [
    ["shorter than 14 bytes", dataWord(128, 13), "SHORT"],
    ["of no bytes", dataWord(128, 0), "SHORT"],
    ["longer than the limit", dataWord(128, 1523), "LONG"],
    ["that reach out of their mbuf", dataWord(2368 - 63, 64), "OUTSIDE"],
    ["that start at the mbuf's end", dataWord(2368, 64), "OUTSIDE"],
    ["as long as can be said", dataWord(65535, 65535), "LONG"],
  ] as const
) {
  Deno.test(`Lane drops and counts frames ${what}, and sends those beside them`, () => {
    using lab = new TestHost();
    const [lane, port] = lab.lane();
    const guest = lab.attachPort();
    const burst = Burst.of(32);
    port.waiting = 8;
    lane.hostToGuest();
    guest.rxBurst(burst, 8);
    const good = burst.words[4];
    for (const i of [0, 1, 3, 4, 5, 6, 7]) burst.words[2 * i + 1] = word1;
    guest.txBurst(burst, 8);
    equal(lane.guestToHost(), 8);
    deepEqual(counted(lab.counters[0]), { RX: 8, TX: 1, MALFORMED: 7, [kind]: 7 });
    deepEqual(port.sent, [good, dataWord(128, 60)]);
    lab.checkAccounts();
  });
}

Deno.test("Lane counts handles that the guest does not hold, and nothing else of them", () => {
  using lab = new TestHost();
  const [lane, port] = lab.lane();
  const guest = lab.attachPort();
  const burst = Burst.of(32);
  port.waiting = 1;
  lane.hostToGuest();
  guest.rxBurst(burst, 1);
  const [mine, word1] = burst.words;
  const neverLent = (mine + 1) % 256;
  const tx = [mine, neverLent, mine, 256, 0xffffff].flatMap((index) => [index, word1]);
  guest.txBurst(burstOf(tx), 5);
  guest.free(burstOf([mine, 0, 0xffffff, 0]), 2);
  equal(lane.guestToHost(), 5);
  equal(lane.takeGiveback(), 2);
  deepEqual(counted(lab.counters[0]), { RX: 1, TX: 1, FOREIGN: 6, BEYOND: 3 });
  deepEqual(port.sent, [mine, word1]);
  lab.checkAccounts();
});

Deno.test("Lane counts frames that the guest gives back as dropped by the guest", () => {
  using lab = new TestHost({ makePort: nullPort });
  const [lane] = lab.lane();
  const guest = lab.attachPort();
  const burst = Burst.of(32);
  lane.hostToGuest();
  guest.rxBurst(burst, 32);
  guest.free(burst, 32);
  equal(lane.takeGiveback(), 32);
  equal(lane.takeGiveback(), 0);
  deepEqual(counted(lab.counters[0]), { RX: 32, RX_BYTES: 2048, GUEST: 32 });
  lab.checkAccounts();
});

Deno.test("Lane leaves frames with a guest that keeps them, until they are taken back", () => {
  using lab = new TestHost();
  const [lane, port] = lab.lane();
  const guest = lab.attachPort();
  const burst = Burst.of(32);
  port.waiting = 12;
  lane.hostToGuest();
  guest.rxBurst(burst, 10);
  guest.txBurst(burst, 3); // 3 in the tx ring, 7 with the guest, 2 in the rx ring
  lab.cutOff();
  equal(lane.guestToHost(), 0);
  deepEqual(counted(lab.counters[0]), { RX: 12, GUEST_LOST: 12 });
  lab.checkAccounts();
});

Deno.test("Lane drops and counts what the port's queue has no room for", () => {
  const makePort: MakePort = ({ name }, resources) =>
    name === "p0" ? new NullPort("null", 64, resources) : new RingPort("ring", 8, resources);
  using lab = new TestHost({ ports: 2, makePort });
  const [source] = lab.lane(0);
  const [lane, port] = lab.lane(1);
  const [from, to] = lab.attachOnly();
  const burst = Burst.of(32);
  source.hostToGuest();
  from.rx.dequeueBurst(burst, 32);
  to.tx.enqueueBurst(burst, 32);
  equal(lane.guestToHost(), 32);
  deepEqual(counted(lab.counters[1]), { TX: 8, TX_BYTES: 512, TX_FULL: 24 });
  port.close();
  lab.checkAccounts();
});

Deno.test("Lane drops and counts frames for a port that is down", () => {
  using lab = new TestHost();
  const [lane, port] = lab.lane();
  const guest = lab.attachPort();
  const burst = Burst.of(32);
  port.waiting = 20;
  lane.hostToGuest();
  guest.rxBurst(burst, 20);
  guest.txBurst(burst, 20);
  port.isUp = false;
  equal(lane.guestToHost(), 20);
  deepEqual(counted(lab.counters[0]), { RX: 20, PORT_DOWN: 20 });
  lab.checkAccounts();
});

Deno.test("Lane frees the frames that the port did not take, not those that it took", () => {
  using lab = new TestHost();
  const [lane, port] = lab.lane();
  const guest = lab.attachPort();
  const burst = Burst.of(32);
  port.waiting = 20;
  port.takes = 7;
  lane.hostToGuest();
  guest.rxBurst(burst, 20);
  guest.txBurst(burst, 20);
  lane.guestToHost();
  deepEqual(counted(lab.counters[0]), { RX: 20, TX: 7, TX_FULL: 13 });
  deepEqual(port.sent, [...burst.words.subarray(0, 14)]);
  lab.checkAccounts();
});

Deno.test("Lane.refresh() refreshes the port, and counts impossible positions of the guest's", () => {
  using lab = new TestHost();
  const [lane, port] = lab.lane();
  lab.attachPort();
  lab.memory.u32[lab.places[0].tx / 4 + RING.PRODUCER] = 65;
  lab.memory.u32[lab.places[0].giveback / 4 + RING.PRODUCER] = 0x80000000;
  equal(lane.guestToHost(), 0);
  equal(lane.takeGiveback(), 0);
  lane.refresh(0, 0);
  equal(port.refreshes, 1);
  deepEqual(counted(lab.counters[0]), { POSITION: 2 });
  lab.checkAccounts();
});

Deno.test("Lane lends no more than the guest may hold, and goes on once it has given some back", () => {
  using lab = new TestHost({ holdMax: 40 });
  const [lane, port] = lab.lane();
  const guest = lab.attachPort(true);
  const burst = Burst.of(64);
  port.waiting = 100;
  for (let turn = 0; turn < 3; turn++) lane.hostToGuest();
  lane.lendMbufs();
  equal(lab.outstanding, 40);
  deepEqual(counted(lab.counters[0]), { RX: 96, HOLD_MAX: 56 });
  equal(guest.rxBurst(burst, 64), 40);
  guest.txBurst(burst, 10);
  lane.guestToHost();
  burst.words[2 * 10 + 1] = 0; // malformed, but its mbuf is back
  guest.txBurst(burst, 1, 10);
  lane.guestToHost();
  guest.free(burst, 20, 11);
  lane.takeGiveback();
  equal(lab.outstanding, 9);
  lane.hostToGuest();
  equal(lab.outstanding, 13);
  lab.cutOff();
  lab.checkAccounts();
});

Deno.test("Lane rings a guest that always says it sleeps 5000 times between two refreshes at most", () => {
  using lab = new TestHost();
  const flag = lab.places[0].channel / 4 + CHANNEL.GUEST_SLEEP;
  let rung = 0;
  lab.follower.wake = () => ++rung > 0;
  const [lane, port] = lab.lane();
  lab.attachPort();
  lab.memory.store(flag + SLEEP.VECTOR, 1);
  lab.follower.canWake = true;
  const flood = () => {
    for (let i = 0; i < 6000; i++) {
      lab.memory.store(flag + SLEEP.COUNT, (lab.memory.load(flag + SLEEP.COUNT) + 2) | 1);
      port.waiting = 1;
      lane.hostToGuest();
    }
  };
  flood();
  equal(rung, 5000);
  lane.refresh(0, 0);
  flood();
  equal(rung, 10_000);
  equal(lab.counters[0][COUNTER.NOTIFIED], 10_000);
  lab.cutOff();
  lab.checkAccounts();
});
