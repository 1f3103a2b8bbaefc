import { deepEqual, equal } from "node:assert/strict";
import { Burst } from "../../app/ring/burst.ts";
import { GUEST, ZONE_KIND } from "../../app/memory/layout.ts";
import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { TestHost } from "./test_host.ts";
import { counted } from "./test_ports.ts";

const { ABSENT, ATTACHING, RUNNING, DETACHING, QUARANTINED, RETIRED } = GUEST_STATE;
const ATTACHED = "guest 0 attached (own pid 4711)";

/** A guest, for all that it may do to the region, writes its state. */
function write(lab: TestHost, state: number): void {
  const { offset } = lab.found.zone("g0", ZONE_KIND.GUEST);
  lab.memory.store(offset / 4 + GUEST.STATE, state);
}

Deno.test("GuestSupervisor lets a guest in once all lcores have seen the gate open", () => {
  using lab = new TestHost();
  const { supervisor, guest } = lab;
  supervisor.step(0);
  equal(supervisor.isClosed, true);
  guest.claim({ pid: 4711, wantsMbufs: true });
  const before = guest.incarnation;
  supervisor.step(10);
  equal(guest.incarnation, before + 1, "whoever was there before is retired");
  supervisor.step(20);
  equal(guest.state, ATTACHING);
  equal(supervisor.isOpen, false);
  lab.follower.follow();
  supervisor.step(30);
  equal(guest.state, RUNNING);
  equal(supervisor.isOpen, true);
  equal(lab.follower.wantsMbufs, true);
  deepEqual(lab.log, [ATTACHED]);
});

Deno.test("GuestSupervisor sees a guest out that detaches, once all lcores have seen the gate shut", () => {
  using lab = new TestHost();
  lab.attachOnly();
  const { supervisor, guest } = lab;
  const before = guest.incarnation;
  guest.move("guest", RUNNING, DETACHING);
  supervisor.step(10);
  equal(supervisor.isOpen, false);
  equal(guest.incarnation, before + 1);
  supervisor.step(20);
  equal(supervisor.isClosed, false);
  equal(guest.state, DETACHING, "not before the lcores have let go");
  lab.follower.follow();
  supervisor.step(30);
  equal(supervisor.isClosed, true);
  equal(guest.state, ABSENT);
  deepEqual(lab.log, [ATTACHED, "guest 0 detached"]);
});

Deno.test("GuestSupervisor keeps a guest as long as its heart beats", () => {
  using lab = new TestHost();
  lab.attachOnly();
  for (let now = 0; now < 60_000; now += 1900) {
    lab.guest.beat();
    lab.supervisor.step(now);
    lab.supervisor.step(now + 1899);
  }
  equal(lab.supervisor.isOpen, true);
});

Deno.test("GuestSupervisor takes a guest for dead whose heart has not beaten for two seconds", () => {
  using lab = new TestHost();
  lab.attachOnly(false, 1000);
  lab.guest.beat();
  lab.supervisor.step(5000); // it has beaten since
  lab.supervisor.step(7000);
  equal(lab.supervisor.isOpen, true);
  const before = lab.guest.incarnation;
  lab.supervisor.step(7001);
  equal(lab.supervisor.isOpen, false);
  equal(lab.guest.incarnation, before + 1, "should it be only asleep, it must not touch an mbuf");
  lab.follower.follow();
  lab.supervisor.step(7002);
  equal(lab.guest.state, RETIRED);
  deepEqual(lab.log, [
    ATTACHED,
    "guest 0 died: its heartbeat stopped",
    "guest 0 held 0 mbufs: withheld, as it may only be paused",
  ]);
});

Deno.test("GuestSupervisor takes a guest for dead that never beats", () => {
  using lab = new TestHost();
  lab.attachOnly(false, 1000);
  lab.supervisor.step(3000);
  equal(lab.supervisor.isOpen, true);
  lab.supervisor.step(3001);
  equal(lab.supervisor.isOpen, false);
});

Deno.test("GuestSupervisor.close() cuts a guest off, once, and says why", () => {
  using lab = new TestHost();
  lab.attachOnly();
  lab.supervisor.close("is cut off: the host stops");
  lab.supervisor.close("is cut off: again");
  equal(lab.supervisor.isOpen, false);
  equal(lab.supervisor.isClosed, false);
  lab.follower.follow();
  lab.supervisor.step(0);
  equal(lab.supervisor.isClosed, true);
  lab.supervisor.close("is cut off: once more");
  deepEqual(lab.log, [ATTACHED, "guest 0 is cut off: the host stops"]);
});

Deno.test("GuestSupervisor copes with a guest that gives up before it is let in", () => {
  using lab = new TestHost();
  lab.guest.claim({ pid: 4711, wantsMbufs: false });
  lab.supervisor.step(0);
  lab.guest.move("guest", ATTACHING, DETACHING);
  for (let now = 10; now < 50; now += 10) {
    lab.follower.follow();
    lab.supervisor.step(now);
  }
  equal(lab.guest.state, ABSENT);
  equal(lab.supervisor.isClosed, true);
  deepEqual(lab.log, ["guest 0 detached"]);
});

Deno.test("GuestSupervisor frees the place of a guest that gave up before the host ever looked", () => {
  using lab = new TestHost();
  lab.guest.claim({ pid: 4711, wantsMbufs: false });
  lab.guest.move("guest", ATTACHING, DETACHING);
  lab.supervisor.step(0);
  equal(lab.guest.state, ABSENT);
  lab.attachOnly();
});

for (const state of [ABSENT, ATTACHING, QUARANTINED, 5, 0xffffffff]) {
  Deno.test(`GuestSupervisor takes state ${state}, written while the guest runs, for its end`, () => {
    using lab = new TestHost();
    lab.attachOnly();
    write(lab, state);
    lab.supervisor.step(0);
    equal(lab.supervisor.isOpen, false);
    lab.follower.follow();
    lab.supervisor.step(0);
    equal(lab.supervisor.isClosed, true);
    equal(lab.guest.state, ABSENT);
    lab.attachOnly();
  });
}

for (const state of [RUNNING, DETACHING, QUARANTINED, 5, 0xffffffff]) {
  Deno.test(`GuestSupervisor lets in no guest that writes state ${state}, and is none the worse`, () => {
    using lab = new TestHost();
    write(lab, state);
    for (let now = 0; now < 5; now++) {
      lab.supervisor.step(now);
      lab.follower.follow();
    }
    equal(lab.follower.isOpen, false);
    equal(lab.supervisor.isClosed, true);
    lab.attachOnly();
  });
}

Deno.test("GuestSupervisor takes back what each guest held, and counts the frames, not the empties", () => {
  using lab = new TestHost();
  const [lane, port] = lab.lane();
  for (const [life, frames] of [5, 32, 0].entries()) {
    const before = lab.supervisor.lost;
    const guest = lab.attachPort(true);
    port.waiting = frames;
    lane.hostToGuest();
    lane.lendMbufs();
    guest.rxBurst(Burst.of(4), 3);
    lab.supervisor.close("is cut off");
    lab.follower.follow();
    equal(lab.free, 256 - 32 - frames);
    lab.supervisor.step(0);
    equal(lab.free, 256);
    equal(lab.supervisor.lost - before, frames);
    equal(lab.log.at(-1), `guest 0 held ${frames + 32} mbufs: taken back`);
    equal(lab.guest.incarnation, 2 * (life + 1));
  }
  deepEqual(counted(lab.counters[0]), { RX: 37 });
});

Deno.test("GuestSupervisor lets the next guest begin with empty rings", () => {
  using lab = new TestHost();
  const [lane, port] = lab.lane();
  const first = lab.attachPort(true);
  port.waiting = 10;
  lane.hostToGuest();
  lane.lendMbufs();
  first.txBurst(Burst.of(4), 4);
  first.free(Burst.of(4), 4);
  lab.cutOff();
  const second = lab.attachPort(true);
  const burst = Burst.of(64);
  equal(second.rxBurst(burst, 64), 0);
  equal(second.allocBurst(burst, 64), 0);
  equal(lane.guestToHost(), 0);
  equal(lane.takeGiveback(), 0);
});
