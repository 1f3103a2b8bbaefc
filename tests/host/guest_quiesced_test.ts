import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { Burst } from "../../app/ring/burst.ts";
import { GUEST_STATE, GuestState } from "../../app/channel/guest_state.ts";
import { peerOf } from "../../app/channel/state_word.ts";
import { GUEST, ZONE_KIND } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { FakePeer } from "../ivshmem/fake_peer.ts";
import { attach } from "../guest/attaching.ts";
import { TestHost } from "./test_host.ts";

const { ABSENT, ATTACHING, RUNNING, DETACHING, RETIRED } = GUEST_STATE;

/** A guest that has dequeued a burst of 8 frames, and is paused before it writes to them. */
function paused(lab: TestHost, peer?: number) {
  const [lane, port] = lab.lane();
  const guest = lab.attachPort(false, peer);
  port.waiting = 8;
  lane.hostToGuest();
  const burst = Burst.of(32);
  equal(guest.rxBurst(burst, 32), 8);
  lab.supervisor.step(2001);
  lab.follower.follow();
  lab.supervisor.step(2002);
  return { guest, burst };
}

/** How many mbufs can be had, and that none of `withheld` is among them. */
function available(lab: TestHost, withheld: Burst): number {
  const all = Burst.of(256);
  lab.threads[0].running!.releaseCaches();
  const n = lab.region.mempool.allocBurst(all, 256);
  const indexes = new Set(Array.from({ length: n }, (_, i) => all.words[2 * i]));
  for (let i = 0; i < 8; i++) equal(indexes.has(withheld.words[2 * i]), false);
  lab.region.mempool.free(all, n);
  return n;
}

/** Let time go by: the supervisor looks, the lcore follows. */
function steps(lab: TestHost, count = 4, now = 3000): void {
  for (let i = 0; i < count; i++) {
    lab.supervisor.step(now);
    lab.follower.follow();
  }
}

/** Another process that wants the place. */
function anotherGuest(lab: TestHost): GuestState {
  return GuestState.attach(Region.attach(lab.memory, "r0"), 0);
}

Deno.test("what a paused guest holds is lent to nobody until it acknowledges", () => {
  using lab = new TestHost();
  const { guest, burst } = paused(lab);
  equal(lab.guest.state, RETIRED);
  equal(lab.supervisor.isQuiesced, true);
  equal(lab.supervisor.framesOut, 0, "nobody waits for them");
  steps(lab, 1000);
  equal(available(lab, burst), 248);
  guest.txBurst(burst, 8); // it goes on: what it does now harms nobody
  equal(lab.guest.move("guest", RETIRED, DETACHING), true);
  steps(lab);
  equal(lab.supervisor.isClosed, true);
  equal(lab.guest.state, ABSENT);
  equal(lab.supervisor.lost, 8);
  deepEqual(lab.log.slice(1), [
    "guest 0 died: its heartbeat stopped",
    "guest 0 held 8 mbufs: withheld, as it may only be paused",
    "guest 0 held 8 mbufs: taken back",
  ]);
  lab.counters[0][COUNTER.GUEST_LOST] += lab.supervisor.lost;
  lab.checkAccounts();
  lab.attachOnly();
});

Deno.test("a guest that acknowledges before the lanes have let go is not in quiesced", () => {
  using lab = new TestHost();
  const [lane, port] = lab.lane();
  lab.attachPort();
  port.waiting = 8;
  lane.hostToGuest();
  lab.supervisor.step(2001);
  equal(lab.guest.move("guest", RUNNING, DETACHING), true);
  lab.follower.follow();
  lab.supervisor.step(2002);
  equal(lab.supervisor.isClosed, true);
  equal(lab.free, 256);
});

Deno.test("a place is kept for a paused guest that holds nothing: it may yet look at its ring", () => {
  using lab = new TestHost();
  lab.attachOnly();
  lab.supervisor.step(2001);
  lab.follower.follow();
  lab.supervisor.step(2002);
  equal(lab.guest.state, RETIRED);
  deepEqual(lab.log.slice(1), [
    "guest 0 died: its heartbeat stopped",
    "guest 0 held 0 mbufs: withheld, as it may only be paused",
  ]);
});

Deno.test("a claim that was given up unseen leaves nothing behind for the next one", () => {
  using lab = new TestHost();
  lab.guest.claim({ pid: 4711, wantsMbufs: true, peer: 7 });
  lab.guest.move("guest", ATTACHING, DETACHING);
  lab.supervisor.step(0);
  equal(lab.guest.state, ABSENT);
  const next = anotherGuest(lab);
  next.claim({ pid: 4712, wantsMbufs: false });
  equal(lab.guest.move("guest", ATTACHING, DETACHING), false, "that is not its claim any more");
  steps(lab);
  equal(next.state, RUNNING);
  deepEqual([lab.follower.wantsMbufs, peerOf(next.word)], [false, undefined]);
});

Deno.test("the quiesced state ends where others need the mbufs, or the host stops", () => {
  for (const end of ["takeBack", "close"] as const) {
    using lab = new TestHost();
    paused(lab);
    lab.supervisor[end]("is cut off: the host stops");
    equal(lab.supervisor.isClosed, true);
    equal(lab.free, 256);
    equal(lab.guest.state, ABSENT);
  }
});

for (const state of [ABSENT, ATTACHING, RUNNING, 77]) {
  Deno.test(`a guest that writes state ${state} into its quiesced ends it, no more`, () => {
    using lab = new TestHost();
    paused(lab);
    const { offset } = lab.found.zone("g0", ZONE_KIND.GUEST);
    lab.memory.store(offset / 4 + GUEST.STATE, state);
    lab.supervisor.step(3000);
    equal(lab.supervisor.isClosed, true);
    equal(lab.free, 256);
    steps(lab);
    equal(lab.follower.isOpen, false);
  });
}

Deno.test("a successor without a peer, as in the same VM, ends its predecessor's quiesced and is let in", async () => {
  using lab = new TestHost();
  paused(lab);
  const claimed = attach(lab.memory);
  equal(lab.guest.state, DETACHING);
  const timer = setInterval(() => steps(lab), 2);
  const attachment = await claimed.finally(() => clearInterval(timer));
  equal(attachment.isOver, false);
  equal(lab.supervisor.isOpen, true);
  equal(lab.free, 256);
});

Deno.test("a successor on another peer is refused while a guest may only be paused", async () => {
  const server = new FakePeer(0);
  using lab = new TestHost({ peer: server.peer });
  server.joins(3);
  paused(lab, 3);
  equal(peerOf(lab.guest.word), 3);
  for (const peer of [undefined, 0, 2]) {
    await rejects(attach(lab.memory, 0, { peer }), ({ message }) => {
      match(message, /guest 0 is there already \(RETIRED, own pid 4711/);
      return true;
    });
  }
  equal(lab.supervisor.isQuiesced, true);
  const claimed = attach(lab.memory, 0, { peer: 3 }); // the same VM, booted again
  const timer = setInterval(() => steps(lab), 2);
  equal((await claimed.finally(() => clearInterval(timer))).isOver, false);
  server.close();
});

Deno.test("what a paused guest holds is taken back before the others of its region run short", () => {
  using lab = new TestHost({ places: { a: { 0: "p", 1: "q" } }, mbufs: 64 });
  lab.attach("a0", "a1");
  const { a0, a1 } = lab.guests;
  lab.ports.p.waiting = 20;
  lab.turns(10);
  a0.state.beat = () => {};
  lab.turns(250);
  equal(a0.state.state, RETIRED);
  equal(lab.hosted("a0").supervisor.isQuiesced, true, "44 are free: nobody is short");
  lab.ports.q.waiting = 40;
  lab.turns(10);
  equal(a0.state.state, ABSENT);
  equal(a1.isRunning, true);
  equal(lab.log.includes("guest 0 held 20 mbufs: taken back"), true);
  lab.end();
});

Deno.test("a guest that was retired leaves late, which changes nothing for the next one", () => {
  for (const state of [ATTACHING, RUNNING, RETIRED] as const) {
    using lab = new TestHost();
    lab.attachOnly(false, 3000);
    lab.supervisor.close("is cut off"); // as when its connection was lost, say
    lab.follower.follow();
    lab.supervisor.step(3000);
    equal(lab.guest.state, ABSENT);
    const next = anotherGuest(lab);
    equal(next.claim({ pid: 4711, wantsMbufs: false }), 3, "as alike as can be");
    if (state !== ATTACHING) steps(lab);
    if (state === RETIRED) steps(lab, 4, 6000);
    equal(next.state, state);
    const { word } = next;
    for (const from of [ABSENT, ATTACHING, RUNNING, RETIRED]) {
      equal(lab.guest.move("guest", from, DETACHING), false);
    }
    lab.guest.introduceAgain(5, 1);
    equal(next.word, word);
    equal(lab.supervisor.isOpen, state === RUNNING);
  }
});

Deno.test("a guest that is killed right after its claim frees the place, whether the host has seen it or not", () => {
  for (const peer of [undefined, 3]) {
    using lab = new TestHost();
    lab.guest.claim({ pid: 4711, wantsMbufs: true, peer });
    steps(lab, 4, 3000); // the server may have told of its end before that
    equal(lab.guest.state, RUNNING);
    steps(lab, 4, 5000);
    equal(lab.guest.state, RUNNING, "its heart may yet beat");
    steps(lab, 4, 5001);
    equal(lab.guest.state, peer === undefined ? RETIRED : ABSENT);
    const next = anotherGuest(lab);
    equal(next.takeOver(4), peer === undefined, "where nobody has an id, anybody may be the same");
    steps(lab, 4, 5010);
    ok(next.claim({ pid: 4712, wantsMbufs: false, peer: 4 }) !== undefined);
    steps(lab, 4, 5020);
    equal(next.state, RUNNING);
  }
});

Deno.test("a claim that ends within a turn of the main thread, 600 times, takes each time the next incarnation", () => {
  using lab = new TestHost();
  for (let life = 0; life < 600; life++) {
    equal(lab.guest.claim({ pid: 4711, wantsMbufs: false }), life + 1);
    if (life % 2 === 0) lab.guest.move("guest", ATTACHING, DETACHING);
    else steps(lab, 4);
    if (life % 2 === 1) equal(lab.guest.state, RUNNING);
    lab.supervisor.close("is cut off");
    steps(lab, 4);
    equal(lab.guest.state, ABSENT);
    if (life % 2 === 1) life++; // it was let in, and retired
  }
  deepEqual(lab.log.filter((line) => /quarantine/.test(line)), []);
});
