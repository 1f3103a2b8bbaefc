/**
 * Super-frames between a lane's port and its guest.
 *
 * @module
 */
import { deepEqual, equal } from "node:assert/strict";
import { DESCRIPTOR, DESCRIPTOR_FLAG } from "../../app/memory/layout.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import type { MakePort } from "../../app/host/host_lcore.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { Burst } from "../../app/ring/burst.ts";
import { burstOf } from "../kit/burst_of.ts";
import { SuperPort } from "./super_port.ts";
import { TestHost } from "./test_host.ts";
import { counted } from "./test_ports.ts";

const { SUPER } = DESCRIPTOR_FLAG;
const { INDEX_MASK } = DESCRIPTOR;
const makePort: MakePort = (_, resources) => new SuperPort(resources);

/** A host whose region has long mbufs, and a guest that says that it takes super-frames. */
function hostWithSuper(takes = true) {
  const lab = new TestHost({ bytes: 4 << 20, makePort });
  const [lane, port] = lab.lane<SuperPort>();
  const guest = lab.attachPort();
  tell(lab, takes);
  return { lab, lane, port, guest };
}

/** The guest says whether it takes super-frames, and host and lane look. */
function tell(lab: TestHost, takes: boolean): void {
  lab.guest.offloads = takes;
  lab.supervisor.step(0);
  lab.follower.follow();
}

Deno.test("Lane has its port pass super-frames whole to a guest that takes them, and only then", () => {
  const { lab, lane, port } = hostWithSuper(false);
  using _ = lab;
  lane.hostToGuest();
  equal(port.passesWhole, false);
  tell(lab, true);
  lane.hostToGuest();
  equal(port.passesWhole, true);
  tell(lab, false);
  lane.hostToGuest();
  equal(port.passesWhole, false, "others have taken over from its functions");
  tell(lab, true);
  lab.cutOff();
  lane.hostToGuest();
  equal(port.passesWhole, false, "it is gone");
});

Deno.test("Lane does not reset the rings of a guest that changes its mind", () => {
  const { lab, lane, port, guest } = hostWithSuper(false);
  using _ = lab;
  port.waiting = 4;
  lane.hostToGuest();
  tell(lab, true);
  const burst = Burst.of(4);
  equal(guest.rxBurst(burst, 4), 4);
  guest.txBurst(burst, 4);
  equal(lane.guestToHost(), 4);
  lab.checkAccounts();
});

Deno.test("Lane lends super-frames and takes them back, flag and all", () => {
  const { lab, lane, port, guest } = hostWithSuper();
  using _ = lab;
  port.waiting = 8;
  equal(lane.hostToGuest(), 8);
  const burst = Burst.of(8);
  equal(guest.rxBurst(burst, 8), 8);
  equal(lab.outstanding, 8);
  const words = [...burst.words];
  equal(guest.txBurst(burst, 8), 8);
  equal(lane.guestToHost(), 8);
  deepEqual(port.sent, words);
  equal(port.sent.filter((word, i) => i % 2 === 0 && (word & SUPER) !== 0).length, 4);
  lab.checkAccounts();
});

Deno.test("Lane takes back long mbufs that the guest gives back, or held when it went", () => {
  const { lab, lane, port, guest } = hostWithSuper();
  using _ = lab;
  port.waiting = 8;
  lane.hostToGuest();
  const burst = Burst.of(8);
  guest.rxBurst(burst, 8);
  guest.free(burst, 4);
  equal(lane.takeGiveback(), 4);
  lab.cutOff();
  lab.checkAccounts();
});

Deno.test("Lane drops super-frames that a port had left for a guest that takes none", () => {
  const { lab, lane, port, guest } = hostWithSuper(false);
  using _ = lab;
  port.waiting = 8;
  port.isLate = true;
  equal(lane.hostToGuest(), 8);
  const burst = Burst.of(8);
  equal(guest.rxBurst(burst, 8), 4);
  for (let i = 0; i < 4; i++) equal(burst.words[2 * i + 1] >>> 16, 60);
  equal(lab.counters[0][COUNTER.OFFLOAD], 4);
  guest.free(burst, 4);
  lane.takeGiveback();
  lab.checkAccounts();
});

Deno.test("Lane refuses what is no super-frame of the guest's, and sends what is", () => {
  const { lab, lane, port, guest } = hostWithSuper();
  using _ = lab;
  port.waiting = 16;
  lane.hostToGuest();
  const burst = Burst.of(16);
  guest.rxBurst(burst, 16);
  const long = Array.from({ length: 8 }, (_, i) => burst.words[4 * i] & INDEX_MASK);
  const short = Array.from({ length: 8 }, (_, i) => burst.words[4 * i + 2] & INDEX_MASK);
  const flagged = (index: number) => (index | SUPER) >>> 0;
  const room = 28 * 2368;
  const lies = burstOf([
    ...[long[0], dataWord(128, 1523)], // not flagged: as long as a plain frame at most
    ...[flagged(long[1]), dataWord(27, 60)], // over its header
    ...[flagged(long[2]), dataWord(1000, room - 999 & 0xffff)], // out of the long mbuf
    ...[flagged(long[3]), dataWord(128, 13)],
    ...[flagged(short[0]), dataWord(128, 2241)], // out of a short one
    ...[long[4] + 1, dataWord(128, 60)], // into the midst of a long one
    ...[flagged(long[4] + 1), dataWord(128, 60_000)],
    ...[flagged(0xffffff), dataWord(128, 60)],
  ]);
  guest.txBurst(lies, 8);
  lane.guestToHost();
  deepEqual(port.sent, []);
  const { MALFORMED, FOREIGN, BEYOND } = counted(lab.counters[0]);
  deepEqual({ MALFORMED, FOREIGN, BEYOND }, { MALFORMED: 5, FOREIGN: 3, BEYOND: 1 });
  const truths = burstOf([
    ...[flagged(long[4]), dataWord(28, 65_535)],
    ...[flagged(long[5]), dataWord(room - 65_535, 65_535)],
    ...[flagged(short[1]), dataWord(128, 2240)],
    ...[long[6], dataWord(128, 1522)], // a plain frame, in a long mbuf all the same
  ]);
  guest.txBurst(truths, 4);
  lane.guestToHost();
  deepEqual(port.sent, [...truths.words.subarray(0, 8)]);
  lab.cutOff();
  lab.checkAccounts();
});

Deno.test("Lane takes a long mbuf back once, however often it is given", () => {
  const { lab, lane, port, guest } = hostWithSuper();
  using _ = lab;
  port.waiting = 1;
  lane.hostToGuest();
  const burst = Burst.of(1);
  guest.rxBurst(burst, 1);
  for (let i = 0; i < 3; i++) guest.txBurst(burst, 1);
  guest.free(burst, 1);
  lane.guestToHost();
  lane.takeGiveback();
  equal(port.sent.length, 2);
  equal(lab.counters[0][COUNTER.FOREIGN], 3);
  lab.checkAccounts();
});

Deno.test("A guest that keeps all long mbufs that it is lent leaves their shares to others", () => {
  const places = { a: { 0: "p", 1: "q" } };
  using lab = new TestHost({ places, bytes: 4 << 20, makePort, ringSize: 128 });
  lab.attach("a0", "a1");
  for (const { state } of Object.values(lab.guests)) state.offloads = true;
  lab.turns(2);
  const total = lab.region.mempool.long!.handle.total;
  const [keeper, other] = [lab.lane<SuperPort>(0)[1], lab.lane<SuperPort>(1)[1]];
  lab.turns(20, () => keeper.waiting = 8);
  equal(lab.counters[0][COUNTER.HOLD_MAX], 20 * 4 - Math.floor(total / 2), "of 4 a turn");
  other.waiting = 8;
  lab.turns(5, () => lab.guests.a1.forward(0, 0));
  equal(other.sent.length / DESCRIPTOR.WORDS, 8, "whole, and lent again and again");
  equal(lab.counters[1][COUNTER.HOLD_MAX], 0);
  lab.end();
});
