import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { GUEST, ZONE_KIND } from "../../app/memory/layout.ts";
import { Attachment } from "../../app/guest/attachment.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { FakePort } from "./fake_port.ts";
import { HostLab } from "./host_lab.ts";
import { ManyLab } from "./many_lab.ts";

const { ABSENT, ATTACHING, RUNNING, DETACHING, RETIRED } = GUEST_STATE;

/** A guest that has taken a burst of 8 frames from its ring, and is paused before it writes to them. */
function paused(lab: HostLab) {
  const [lane, port] = lab.lane((resources) => new FakePort(resources));
  const guest = lab.attachPort();
  port.waiting = 8;
  lane.hostToGuest();
  const burst = new Uint32Array(64);
  equal(guest.rxBurst(burst, 32), 8);
  lab.supervisor.step(2001);
  lab.keeper.follow();
  lab.supervisor.step(2002);
  return { guest, burst };
}

/** How many mbufs can be had, and that none of `withheld` is among them. */
function available(lab: HostLab, withheld: Uint32Array): number {
  const all = new Uint32Array(2 * 256);
  const n = lab.mempool.allocBurst(all, 256);
  const indexes = new Set(Array.from({ length: n }, (_, i) => all[2 * i]));
  for (let i = 0; i < 8; i++) equal(indexes.has(withheld[2 * i]), false);
  lab.mempool.free(all, n);
  return n;
}

/** Let time go by: the supervisor looks, the lcore follows. */
function steps(lab: HostLab, count = 4): void {
  for (let i = 0; i < count; i++) {
    lab.supervisor.step(3000 + i);
    lab.keeper.follow();
  }
}

Deno.test("what a paused guest holds is lent to nobody until it acknowledges", () => {
  using lab = new HostLab();
  const { guest, burst } = paused(lab);
  equal(lab.guest.state, RETIRED);
  equal(lab.supervisor.isInLimbo, true);
  equal(lab.supervisor.framesOut, 0, "nobody waits for them");
  steps(lab, 1000);
  equal(available(lab, burst), 248);
  guest.txBurst(burst, 8); // it goes on: what it does now harms nobody
  equal(lab.guest.move("guest", RETIRED, DETACHING), true);
  steps(lab);
  equal(lab.supervisor.isClosed, true);
  equal(lab.guest.state, ABSENT);
  equal(lab.supervisor.held, 8);
  deepEqual(lab.log.slice(1), [
    "guest 0 died: its heartbeat stopped",
    "guest 0 held 8 mbufs: withheld, as it may only be paused",
    "guest 0 held 8 mbufs: taken back",
  ]);
  lab.counters[0][COUNTER.GUEST_HELD] += lab.supervisor.held;
  lab.checkAccounts();
  lab.attach();
});

Deno.test("a guest that acknowledges before the lanes have let go is not in limbo", () => {
  using lab = new HostLab();
  const [lane, port] = lab.lane((resources) => new FakePort(resources));
  lab.attachPort();
  port.waiting = 8;
  lane.hostToGuest();
  lab.supervisor.step(2001);
  equal(lab.guest.move("guest", RUNNING, DETACHING), true);
  lab.keeper.follow();
  lab.supervisor.step(2002);
  equal(lab.supervisor.isClosed, true);
  equal(lab.mempool.available, 256);
});

Deno.test("a place is kept for a paused guest that holds nothing: it may yet look at its ring", () => {
  using lab = new HostLab();
  lab.attach();
  lab.supervisor.step(2001);
  lab.keeper.follow();
  lab.supervisor.step(2002);
  equal(lab.guest.state, RETIRED);
  deepEqual(lab.log.slice(1), [
    "guest 0 died: its heartbeat stopped",
    "guest 0 held 0 mbufs: withheld, as it may only be paused",
  ]);
});

Deno.test("a claim that was given up unseen leaves no introduction behind for the next one", () => {
  using lab = new HostLab();
  lab.guest.move("guest", ABSENT, ATTACHING);
  lab.guest.introduce(4711, true, 7);
  lab.guest.move("guest", ATTACHING, DETACHING);
  lab.supervisor.step(0);
  equal(lab.guest.state, ABSENT);
  lab.guest.move("guest", ABSENT, ATTACHING);
  steps(lab);
  equal(lab.guest.state, ATTACHING, "nobody knows yet who this is");
  lab.guest.introduce(4712, false);
  steps(lab);
  equal(lab.guest.state, RUNNING);
});

Deno.test("a limbo ends where others need the mbufs, or the host stops", () => {
  for (const end of ["takeBack", "close"] as const) {
    using lab = new HostLab();
    paused(lab);
    lab.supervisor[end]("is cut off: the host stops");
    equal(lab.supervisor.isClosed, true);
    equal(lab.mempool.available, 256);
    equal(lab.guest.state, ABSENT);
  }
});

for (const state of [ABSENT, ATTACHING, RUNNING, 77]) {
  Deno.test(`a guest that writes state ${state} into its limbo ends it, no more`, () => {
    using lab = new HostLab();
    paused(lab);
    const { offset } = lab.laidOut.region.zone("g0", ZONE_KIND.GUEST);
    lab.memory.store(offset / 4 + GUEST.STATE, state);
    lab.supervisor.step(3000);
    equal(lab.supervisor.isClosed, true);
    equal(lab.mempool.available, 256);
    steps(lab);
    equal(lab.keeper.isOpen, false);
  });
}

Deno.test("a successor without a peer, as in the same VM, ends its predecessor's limbo and is let in", async () => {
  using lab = new HostLab();
  paused(lab);
  const claimed = Attachment.claim(lab.memory, "r0", 0, false);
  equal(lab.guest.state, DETACHING);
  const timer = setInterval(() => steps(lab), 2);
  const attachment = await claimed.finally(() => clearInterval(timer));
  equal(attachment.isOver, false);
  equal(lab.supervisor.isOpen, true);
  equal(lab.mempool.available, 256);
});

Deno.test("a successor on another peer is refused while a guest may only be paused", async () => {
  using lab = new HostLab();
  lab.guest.introduce(4711, false, 3); // as attach() is about to, but with a peer
  const introduce = lab.guest.introduce.bind(lab.guest);
  lab.guest.introduce = (pid, wantsMbufs) => introduce(pid, wantsMbufs, 3);
  paused(lab);
  equal(lab.guest.peer, 3);
  for (const peer of [undefined, 0, 2]) {
    await rejects(Attachment.claim(lab.memory, "r0", 0, false, peer), ({ message }) => {
      match(message, /guest 0 is there already \(RETIRED, pid 4711/);
      return true;
    });
  }
  equal(lab.supervisor.isInLimbo, true);
  const claimed = Attachment.claim(lab.memory, "r0", 0, false, 3); // the same VM, booted again
  const timer = setInterval(() => steps(lab), 2);
  equal((await claimed.finally(() => clearInterval(timer))).isOver, false);
});

Deno.test("what a paused guest holds is taken back before the others of its region run short", () => {
  using lab = new ManyLab({ a: { 0: "p", 1: "q" } }, { mbufs: 64 });
  lab.run(function* (lab) {
    yield* lab.attach("a0", "a1");
    const { a0, a1 } = lab.guests;
    lab.ports.p.waiting = 20;
    yield* lab.turns(10);
    a0.state.beat = () => {};
    yield* lab.turns(250);
    equal(a0.state.state, RETIRED);
    equal(lab.supervisor("a0").isInLimbo, true, "44 are free: nobody is short");
    lab.ports.q.waiting = 40;
    yield* lab.turns(10);
    equal(a0.state.state, ABSENT);
    equal(a1.isRunning, true);
    equal(lab.log.includes("a0 held 20 mbufs: taken back"), true);
  });
});

Deno.test("a claim lapses whose owner was killed before it said who it is", () => {
  using lab = new HostLab();
  const look = (now: number) => {
    lab.supervisor.step(now);
    lab.keeper.follow();
  };
  for (const start of [0, 100_000]) {
    lab.guest.move("guest", ABSENT, ATTACHING);
    const claimed = (lab.guest.incarnation + 1) >>> 0;
    for (const now of [0, 100, 4999]) look(start + now);
    equal(lab.guest.state, ATTACHING);
    look(start + 5000);
    equal(lab.guest.state, ABSENT);
    lab.guest.introduce(4711, false, undefined, false, claimed); // it was only paused
    equal(lab.guest.move("guest", ABSENT, ATTACHING), true);
    look(start + 5001);
    look(start + 5002);
    equal(lab.guest.state, ATTACHING, "that introduction is not for this claim");
    lab.guest.introduce(4712, false);
    for (const now of [5003, 5004]) look(start + now);
    equal(lab.guest.state, RUNNING);
    lab.guest.move("guest", RUNNING, DETACHING);
    for (const now of [5005, 5006]) look(start + now);
    equal(lab.guest.state, ABSENT);
  }
});
