import { deepEqual, equal } from "node:assert/strict";
import { GUEST_STATE, GuestState } from "../../app/channel/guest_state.ts";
import { type Attachment, HOST_TIMEOUT_MS, isOver } from "../../app/guest/attachment.ts";
import { TestHost } from "../host/test_host.ts";
import { leave } from "./attaching.ts";
import { FakeClock } from "../lcore/fake_clock.ts";
import { pause } from "../kit/wait.ts";
import { claim, startAnew } from "./claiming.ts";

const { ABSENT, RUNNING, DETACHING } = GUEST_STATE;

for (
  const [what, end] of [
    ["the host stops", (lab) => lab.region.close()],
    ["another host begins", startAnew],
  ] as [string, (lab: TestHost) => void][]
) {
  Deno.test(`an attachment is over once ${what}: it neither beats nor leaves any more`, async () => {
    using lab = new TestHost();
    const attachment = await claim(lab);
    equal(isOver(lab.memory, attachment.lease), false);
    end(lab);
    const { state, heartbeat } = lab.guest;
    equal(attachment.isOver, true);
    equal(isOver(lab.memory, structuredClone(attachment.lease)), true);
    attachment.beat(performance.now());
    await leave(attachment);
    deepEqual([lab.guest.state, lab.guest.heartbeat], [state, heartbeat]);
  });
}

Deno.test("a guest that was retired says that it touches nothing any more, and may come back", async () => {
  using lab = new TestHost();
  const first = await claim(lab);
  lab.supervisor.step(2001);
  const { heartbeat } = lab.guest;
  first.beat(performance.now());
  equal(lab.guest.heartbeat, heartbeat, "it is not to be taken for a living one");
  const left = leave(first);
  equal(lab.guest.state, DETACHING);
  lab.follower.follow();
  lab.supervisor.step(2002);
  await left;
  equal(lab.guest.state, ABSENT);
  const second = await claim(lab);
  equal(first.isRetired, false);
  await leave(first);
  equal(second.isOver, false, "nobody is taken for another");
});

Deno.test("Attachment.beat() says that the guest is alive", async () => {
  using lab = new TestHost();
  const attachment = await claim(lab);
  const before = lab.guest.heartbeat;
  attachment.beat(performance.now());
  attachment.beat(performance.now());
  equal(lab.guest.heartbeat, before + 2);
});

Deno.test("Attachment.beat() tells whether the host has said within three seconds that it lives", async () => {
  using lab = new TestHost();
  const region = lab.found;
  region.beat();
  const attachment = await claim(lab);
  using clock = new FakeClock();
  equal(attachment.beat(performance.now()), true);
  clock.now += HOST_TIMEOUT_MS - 1;
  equal(attachment.beat(performance.now()), true);
  region.beat();
  equal(attachment.beat(performance.now()), true);
  clock.now += HOST_TIMEOUT_MS - 1;
  equal(attachment.beat(performance.now()), true, "it has beaten since");
  clock.now += 1;
  equal(attachment.beat(performance.now()), false);
  region.beat();
  equal(attachment.beat(performance.now()), true);
});

Deno.test("Attachment.beat() forgives a host that has not yet said that it lives", async () => {
  using lab = new TestHost();
  const attachment = await claim(lab);
  equal(attachment.beat(performance.now()), true);
});

Deno.test("Attachment.leave() waits until the host has seen it", async () => {
  using lab = new TestHost();
  const attachment = await claim(lab);
  let hasLeft = false;
  const left = leave(attachment).then(() => hasLeft = true);
  equal(lab.guest.state, DETACHING);
  await pause(20);
  equal(hasLeft, false);
  lab.supervisor.step(0);
  await left;
  deepEqual(lab.log.at(-1), "guest 0 detached");
});

Deno.test("Attachment.leave() waits a second at most for a host that is no more", async () => {
  using lab = new TestHost();
  const attachment = await claim(lab);
  using clock = new FakeClock(300);
  const start = clock.now;
  await leave(attachment);
  equal(clock.now - start > 1000 && clock.now - start < 2500, true);
  equal(lab.guest.state, DETACHING);
});

Deno.test("a guest that has left may come back, with a lease of its own", async () => {
  using lab = new TestHost();
  const first = await claim(lab);
  const left = leave(first);
  lab.supervisor.step(0);
  lab.follower.follow();
  lab.supervisor.step(0);
  await left;
  const second = await claim(lab);
  equal(first.isOver, true);
  equal(second.isOver, false);
  equal(GuestState.attach(lab.found, 0).state, RUNNING);
});

/** {@linkcode claim}, but another guest takes the place before this one looks, again and again. */
function claimAndLose(lab: TestHost): Promise<Attachment> {
  const claimed = claim(lab);
  lab.supervisor.close("is cut off");
  lab.follower.follow();
  lab.supervisor.step(0);
  equal(lab.guest.state, ABSENT);
  return claimed;
}

Deno.test("a guest that was retired, and wakes when another is in its place, leaves that alone", async () => {
  using lab = new TestHost();
  const lost = claimAndLose(lab);
  const second = claim(lab);
  const late = await lost; // it takes the other's RUNNING for its own
  equal(late.isOver, true);
  late.tellPeer(5, 1);
  await leave(late);
  equal((await second).isOver, false);
  equal(lab.guest.state, RUNNING);
});

Deno.test("a guest that leaves late, between its look and its step, does not move the next one", async () => {
  using lab = new TestHost();
  const late = await claim(lab);
  lab.supervisor.close("is cut off");
  lab.follower.follow();
  lab.supervisor.step(0);
  const second = await claim(lab);
  Object.defineProperty(late, "isOver", { value: false }); // so it saw, before it was paused
  await leave(late);
  equal(second.isOver, false);
  equal(lab.guest.state, RUNNING);
});
