import { deepEqual, equal, match } from "node:assert/strict";
import { Burst } from "../../app/ring/burst.ts";
import { burstOf } from "../kit/burst_of.ts";
import { GUEST, RING, STATE_WORD, ZONE_KIND } from "../../app/memory/layout.ts";
import { GUEST_STATE, GUEST_STATE_NAMES } from "../../app/channel/guest_state.ts";
import { ViolationCounters } from "../../app/host/violation_counters.ts";
import { COUNTER, newCounters } from "../../app/port/counters.ts";
import { TestHost } from "./test_host.ts";

const { ABSENT, ATTACHING, DETACHING, RUNNING, QUARANTINED } = GUEST_STATE;

/** A guest, for all that it may do to the region, writes a word of its control memzone. */
function write(lab: TestHost, word: number, value: number): void {
  const { offset } = lab.found.zone("g0", ZONE_KIND.GUEST);
  lab.memory.store(offset / 4 + word, value);
}

for (const kind of ["FOREIGN", "MALFORMED"] as const) {
  Deno.test(`ViolationCounters.look() finds it too much when all ports have counted ${kind} to the limit`, () => {
    const ports = newCounters(2);
    const violations = new ViolationCounters(ports, 100);
    ports[0][COUNTER[kind]] = 60;
    ports[1][COUNTER[kind]] = 39;
    equal(violations.look(0), false);
    ports[1][COUNTER[kind]]++;
    equal(violations.look(0), true);
  });
}

Deno.test("ViolationCounters.look() bears an impossible position for three looks, and no longer", () => {
  const ports = newCounters(1);
  const violations = new ViolationCounters(ports, 100);
  const looks = [1, 2, 3, 4].map((n) => {
    ports[0][COUNTER.POSITION] += 1e6;
    return violations.look(100 * n);
  });
  deepEqual(looks, [false, false, false, true]);
});

Deno.test("ViolationCounters.look() bears an impossible position for 0.3 s, however often the host steps", () => {
  const ports = newCounters(1);
  const violations = new ViolationCounters(ports, 100);
  for (let now = 0; now < 300; now += 10) {
    ports[0][COUNTER.POSITION] += 1e5;
    equal(violations.look(now), false, `after ${now} ms`);
  }
  equal(violations.look(300), true);
});

Deno.test("ViolationCounters.look() minds single positions as much as other violations", () => {
  const ports = newCounters(1);
  const violations = new ViolationCounters(ports, 100);
  for (let n = 1; n < 100; n++) {
    ports[0][COUNTER.POSITION] = n;
    equal(violations.look(100 * n), false);
  }
  ports[0][COUNTER.POSITION] = 100;
  equal(violations.look(10_000), true);
});

Deno.test("ViolationCounters.look() bears fifteen states or introductions that cannot be", () => {
  const violations = new ViolationCounters(newCounters(1), 1600);
  for (let i = 0; i < 15; i++) i % 2 ? violations.countState() : violations.countIntroduction();
  equal(violations.look(0), false);
  violations.countState();
  equal(violations.look(0), true);
});

Deno.test("ViolationCounters.look() forgets half of what was counted every hour, and no sooner", () => {
  const HOUR = 3_600_000;
  const ports = newCounters(1);
  const violations = new ViolationCounters(ports, 1000);
  for (let burst = 1; burst <= 20; burst++) {
    ports[0][COUNTER.FOREIGN] += 256;
    equal(violations.look(burst * HOUR), false, `burst ${burst} is hours after the others`);
  }
  match(violations.text, /^5120 handles/);
  ports[0][COUNTER.FOREIGN] += 256;
  equal(violations.look(20.4 * HOUR), false);
  ports[0][COUNTER.FOREIGN] += 256;
  equal(violations.look(20.8 * HOUR), false);
  ports[0][COUNTER.FOREIGN] += 256;
  equal(violations.look(20.9 * HOUR), true, "bursts within an hour are not forgotten");
});

Deno.test("ViolationCounters.look() never finds anything too much if the limit is 0", () => {
  const ports = newCounters(1);
  const violations = new ViolationCounters(ports, 0);
  ports[0][COUNTER.FOREIGN] = ports[0][COUNTER.POSITION] = 1e9;
  equal(violations.look(0), false);
});

Deno.test("ViolationCounters.text tells each kind, and nothing of a sound guest", () => {
  const ports = newCounters(2);
  const violations = new ViolationCounters(ports, 100);
  equal(violations.text, "");
  const counts = {
    FOREIGN: 10,
    BEYOND: 3,
    ANOTHERS: 2,
    OUTSIDE: 4,
    SHORT: 5,
    LONG: 6,
    POSITION: 7,
  };
  for (const [name, n] of Object.entries(counts)) {
    ports[1][COUNTER[name as keyof typeof counts]] = n;
  }
  violations.countState();
  violations.countIntroduction();
  equal(
    violations.text,
    "5 handles made up or given twice, 3 handles of no mbuf, 2 handles of another guest's mbufs, " +
      "4 frames out of their mbuf, 5 frames too short, 6 frames too long, " +
      "7 impossible ring positions, 1 states that were not its to write, 1 impossible introductions",
  );
});

Deno.test("A guest in quarantine is cut off, its mbufs are taken back, and the log says why in a line", () => {
  using lab = new TestHost({ quarantineAfter: 10 });
  const [lane, port] = lab.lane();
  const guest = lab.attachPort();
  port.waiting = 32;
  lane.hostToGuest();
  guest.txBurst(burstOf(Array.from({ length: 20 }, () => 0xffffff)), 10);
  lane.guestToHost();
  const { incarnation } = lab.guest;
  lab.supervisor.step(0);
  equal(lab.supervisor.isQuarantined, true);
  equal(lab.guest.incarnation, incarnation + 1);
  equal(lab.supervisor.isClosed, false, "not before the lcores have let go");
  lab.follower.follow();
  lab.supervisor.step(10);
  equal(lab.supervisor.isClosed, true);
  equal(lab.guest.state, QUARANTINED);
  deepEqual(lab.log.slice(1), [
    "guest 0 is in quarantine until the host is started anew: 10 handles of no mbuf",
    "guest 0 held 32 mbufs: taken back",
  ]);
  deepEqual(lab.rareLog, [lab.log[1]], "however many other lines a guest has caused");
  lab.counters[0][COUNTER.GUEST_LOST] += lab.supervisor.lost;
  lab.checkAccounts();
});

Deno.test("A guest in quarantine is not let in again, whatever it writes", () => {
  using lab = new TestHost({ quarantineAfter: 1 });
  lab.counters[0][COUNTER.FOREIGN] = 1;
  lab.supervisor.step(0);
  for (const state of [ABSENT, ATTACHING, RUNNING, DETACHING, 5, 77, QUARANTINED]) {
    write(lab, GUEST.STATE, state);
    for (let now = 10; now < 15; now++) {
      lab.supervisor.step(now);
      lab.follower.follow();
    }
    equal(lab.guest.state, QUARANTINED);
    equal(lab.follower.isOpen, false);
  }
  equal(lab.log.length, 1);
});

Deno.test("A guest in quarantine stays there when its host changes, unless there is none any more", () => {
  using first = new TestHost({ places: { a: { 0: "p", 1: "q" } }, quarantineAfter: 1 });
  first.counters[0][COUNTER.FOREIGN] = 1;
  first.turns(4);
  for (const [quarantineAfter, state] of [[1, QUARANTINED], [0, RUNNING]]) {
    using next = new TestHost({
      places: { a: { 0: "p", 1: "q" } },
      quarantineAfter,
      before: first,
    });
    for (const name of ["a0", "a1"]) next.guests[name].claim();
    next.turns(4);
    deepEqual([next.guests.a0.state.state, next.guests.a1.state.state], [state, RUNNING]);
    match(
      next.host.regions[0].offences.join(),
      state === RUNNING ? /^guest 0: 1 / : /^guest 0 \(in quar/,
    );
  }
});

Deno.test("A guest is put in quarantine for what all did who were in its place before", () => {
  using lab = new TestHost({ quarantineAfter: 30 });
  const [lane] = lab.lane();
  for (let life = 0; life < 3; life++) {
    equal(lab.supervisor.isQuarantined, false);
    lab.attachPort().free(burstOf(Array.from({ length: 20 }, () => 0xffffff)), 10);
    lane.takeGiveback();
    lab.cutOff();
  }
  lab.supervisor.step(0);
  equal(lab.supervisor.isQuarantined, true);
});

/** Each with the state at which it is written, what it is made of that, and what is counted. */
const GARBAGE: [when: number, what: string, spoil: (word: number) => number, RegExp][] = [
  [RUNNING, "garbage", () => 0xdeadbeef, /: 16 states/],
  [RUNNING, "another incarnation", (word) => word ^ (1 << 31), /: 16 states/],
  [RUNNING, "other wishes", (word) => word ^ STATE_WORD.WANTS_MBUFS, /: 16 states/],
  [ATTACHING, "a peer that cannot be", (word) => word | STATE_WORD.PEER, /: 16 impossible intr/],
  [ATTACHING, "an incarnation that is not next", (word) => word ^ (1 << 31), /: 16 impossible int/],
];
for (const [when, what, spoil, counted] of GARBAGE) {
  Deno.test(`A guest that makes ${what} of its word when it is ${GUEST_STATE_NAMES[when]} ends in quarantine`, () => {
    using lab = new TestHost();
    for (let now = 0; !lab.supervisor.isQuarantined; now += 10) {
      equal(now < 1000, true, "nobody minds");
      if (lab.guest.state === ABSENT) lab.guest.claim({ pid: 4711, wantsMbufs: false });
      if (lab.guest.state === when) write(lab, GUEST.STATE, spoil(lab.guest.word) >>> 0);
      lab.supervisor.step(now);
      lab.follower.follow();
    }
    match(lab.log.at(-1)!, /^guest 0 is in quarantine /);
    match(lab.log.at(-1)!, counted);
  });
}

for (const position of [65, 0x7fffffff, 0x80000000, 0xffffffff]) {
  Deno.test(`A guest whose position is ${position} for some looks ends in quarantine`, () => {
    using lab = new TestHost();
    const [lane] = lab.lane();
    lab.attachOnly();
    lab.memory.store(lab.places[0].tx / 4 + RING.PRODUCER, position);
    let looks = 0;
    for (; !lab.supervisor.isQuarantined && looks < 100; looks++) {
      for (let turn = 0; turn < 1000; turn++) lane.guestToHost();
      lane.refresh(0, 0);
      lab.supervisor.step(100 * (looks + 1));
    }
    equal(looks, 4);
    match(lab.log.at(-1)!, /: 4000 impossible ring positions$/);
  });
}

Deno.test("A sound guest that comes and goes, and dies, is never put in quarantine", () => {
  using lab = new TestHost({ quarantineAfter: 1 });
  const [lane, port] = lab.lane();
  for (let life = 0; life < 20; life++) {
    const guest = lab.attachPort(life % 2 === 0);
    port.waiting = 40;
    lane.hostToGuest();
    lane.lendMbufs();
    const burst = Burst.of(32);
    const n = guest.rxBurst(burst, 20);
    guest.txBurst(burst, n);
    lane.guestToHost();
    if (life % 3 === 0) lab.guest.move("guest", RUNNING, DETACHING);
    lab.supervisor.step(0);
    lab.cutOff();
  }
  equal(lab.supervisor.isQuarantined, false);
  lab.checkAccounts();
});

Deno.test("Quarantine of one guest leaves the others of its region and host as they are", () => {
  using lab = new TestHost({ places: { a: { 0: "p", 1: "q" }, b: { 0: "r" } } });
  lab.attach("a0", "a1", "b0");
  const lies = burstOf(Array.from({ length: 64 }, () => 0xffffff));
  for (let i = 0; i < 40; i++) {
    lab.guests.a0.channels[0].tx.enqueueBurst(lies, 32);
    lab.turns(1);
  }
  lab.turns(4);
  lab.ports.p.waiting = lab.ports.q.waiting = lab.ports.r.waiting = 10;
  lab.turns(20, () => {
    lab.guests.a1.forward(0, 0);
    lab.guests.b0.forward(0, 0);
  });
  const { sent } = lab.ports.p;
  deepEqual([sent.length, lab.ports.q.sent.length, lab.ports.r.sent.length], [0, 20, 20]);
  equal(lab.guests.a0.state.state, QUARANTINED);
  equal(lab.log.filter((line) => / in quarantine /.test(line)).length, 1);
  match(
    lab.host.regions[0].offences.join(),
    /^guest 0 of region a \(in quarantine\): \d+ handles of no mbuf$/,
  );
  lab.end();
});
