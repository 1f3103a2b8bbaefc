import { deepEqual, equal, rejects } from "node:assert/strict";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { stateOf, wantsMbufs as wants } from "../../app/channel/state_word.ts";
import type { LaidOutRegion } from "../../app/host/lay_out.ts";
import { TestHost } from "../host/test_host.ts";
import { attach } from "./attaching.ts";
import { FakeClock } from "../lcore/fake_clock.ts";
import { claim, startAnew } from "./claiming.ts";

const { ABSENT, ATTACHING, RUNNING, DETACHING, QUARANTINED } = GUEST_STATE;

Deno.test("Claim learns from the region all that the host has laid out", async () => {
  using lab = new TestHost({ ports: 2 });
  const attachment = await claim(lab);
  const { region: { handle: { geometry, frameMax } }, found, places } = lab;
  deepEqual(attachment.geometry, geometry);
  deepEqual(
    attachment.channels,
    places.map((place, port) => ({
      portName: `p${port}`,
      mac: Uint8Array.of(2, 0, 0, 0, 0, port),
      frameMax,
      queues: 1,
      place,
      port,
      queue: 0,
    })),
  );
  const { incarnation, incarnationWord, heartbeatWord } = lab.guest;
  deepEqual(attachment.lease, { epoch: found.epoch, incarnation, incarnationWord, heartbeatWord });
  equal(attachment.isOver, false);
  equal(lab.guest.state, RUNNING);
});

for (const wantsMbufs of [true, false]) {
  Deno.test(`Claim says who it is, and that wanting mbufs is ${wantsMbufs}`, async () => {
    using lab = new TestHost();
    await claim(lab, wantsMbufs);
    equal(lab.guest.pid, Deno.pid);
    equal(wants(lab.guest.word), wantsMbufs);
    equal(lab.follower.wantsMbufs, wantsMbufs);
  });
}

for (const [state, name] of [[ATTACHING, "ATTACHING"], [RUNNING, "RUNNING"]] as const) {
  Deno.test(`Claim refuses a place where a guest is ${name}`, async () => {
    using lab = new TestHost();
    lab.guest.claim({ pid: 4711, wantsMbufs: false });
    if (state === RUNNING) lab.guest.move("host", ATTACHING, RUNNING);
    await rejects(attach(lab.memory, 0), {
      name: "CulvertError",
      message: `Cannot attach to region r0 as guest 0 is there already (${name}, own pid 4711): ` +
        "stop that one, or wait 2 s if it has died",
    });
    equal(lab.guest.state, state);
    equal(lab.guest.pid, 4711);
  });
}

Deno.test("Claim where guests are asked to leave says who has asked, and that it may be over", async () => {
  using lab = new TestHost();
  lab.guest.askToLeave(true);
  await rejects(attach(lab.memory, 0), {
    name: "CulvertError",
    message:
      "Cannot attach to region r0 as guests are asked to leave it: culvert unplug has asked " +
      "for that; if none is at work now, one was broken off",
  });
});

Deno.test("Claim of a place that a guest has left says that the host has not seen it yet", async () => {
  using lab = new TestHost();
  lab.guest.claim({ pid: 4711, wantsMbufs: false });
  lab.guest.move("guest", ATTACHING, DETACHING);
  await rejects(attach(lab.memory, 0), {
    message:
      "Cannot attach to region r0 as guest 0 has left (DETACHING, own pid 4711), which its " +
      "host has not seen yet: it is stopped, or busy; its place is free when it goes on",
  });
});

Deno.test("Claim refuses a place that is in quarantine", async () => {
  using lab = new TestHost();
  lab.guest.move("host", ABSENT, QUARANTINED);
  await rejects(attach(lab.memory, 0), {
    message: /as guest 0 is in quarantine: see in the host's log /,
  });
});

Deno.test("Claim of two guests at once lets one in", async () => {
  using lab = new TestHost();
  const first = claim(lab);
  await rejects(attach(lab.memory, 0), { message: /is there already/ });
  equal((await first).isOver, false);
});

Deno.test("Claim gives up on a host that does not answer, and leaves the place", async () => {
  using lab = new TestHost();
  using clock = new FakeClock(1000);
  const start = clock.now;
  await rejects(attach(lab.memory, 0), {
    name: "CulvertError",
    message:
      "Cannot attach to region r0 as its host does not answer: is it running? start it again",
  });
  equal(clock.now - start > 5000, true);
  equal(lab.guest.state, DETACHING);
});

Deno.test("Claim beats while it waits", async () => {
  using lab = new TestHost();
  using _clock = new FakeClock(1000);
  const before = lab.guest.heartbeat;
  await rejects(attach(lab.memory, 0));
  equal(lab.guest.heartbeat > before, true);
});

Deno.test("Claim is refused when the host stops meanwhile", async () => {
  using lab = new TestHost();
  const claimed = attach(lab.memory, 0);
  lab.region.close();
  await rejects(claimed, {
    name: "CulvertError",
    message: "Cannot attach to region r0 as its host says ATTACHING: see what the host logs, and " +
      "try again",
  });
  equal(lab.guest.state, DETACHING, "the claim is taken back");
});

Deno.test("Claim is refused when another host begins meanwhile", async () => {
  using lab = new TestHost();
  const claimed = attach(lab.memory, 0);
  startAnew(lab);
  await rejects(claimed, { message: /as its host says ABSENT: / });
  equal(lab.guest.state, ABSENT, "the new host's place is not touched");
});

Deno.test("Claim is refused when the host puts the guest into quarantine", async () => {
  using lab = new TestHost();
  const claimed = attach(lab.memory, 0);
  lab.guest.move("host", ATTACHING, QUARANTINED);
  await rejects(claimed, { message: /as its host says QUARANTINED: / });
});

Deno.test("Claim refuses a region that has no place for such a guest", async () => {
  using lab = new TestHost();
  await rejects(attach(lab.memory, 1), {
    name: "CulvertError",
    message: /^Cannot use region r0 as guest 1 as it has no place for that guest: /,
  });
});

Deno.test("Claim refuses memory that is no region", async () => {
  const memory = MappedMemory.ofProcess(1 << 20);
  await rejects(attach(memory, 0), {
    name: "CulvertError",
    message: /^Cannot attach to region r0 as it does not begin with Culvert's magic: /,
  });
  memory.close();
});

Deno.test("Claim is over for a guest that was retired before it looked again", async () => {
  using lab = new TestHost();
  const claimed = attach(lab.memory, 0);
  lab.supervisor.step(0);
  lab.follower.follow();
  lab.supervisor.step(0);
  lab.supervisor.close("is cut off");
  equal((await claimed).isOver, true);
});

Deno.test("Claim that is paused anywhere while another host begins ends well", async () => {
  let pausedAt = 1;
  for (let isPaused = true; isPaused; pausedAt++) {
    using lab = new TestHost();
    const { memory } = lab;
    let next: LaidOutRegion | undefined;
    let loads = 0;
    const load = (word: number) => {
      if (++loads === pausedAt) next = startAnew(lab);
      return memory.load(word);
    };
    const claimed = attach(Object.create(memory, { load: { value: load } }), 0, {
      wantsMbufs: true,
    });
    isPaused = next !== undefined;
    const { guests: [{ state }] } = next ?? lab.region;
    const { word } = state;
    if (stateOf(word) === ATTACHING) equal(state.isClaim(word), true, `paused at ${pausedAt}`);
    else equal(state.isVacant(word), true, `paused at ${pausedAt}`);
    equal(stateOf(word) === ATTACHING, pausedAt === 1 || !isPaused, `paused at ${pausedAt}`);
    (next?.region ?? lab.region).close();
    await rejects(claimed, { name: "CulvertError" });
    equal([ABSENT, DETACHING].includes(state.state as 0), true);
  }
  equal(pausedAt > 10, true);
});
