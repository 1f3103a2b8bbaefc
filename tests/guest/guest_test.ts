import { deepEqual, equal, match, rejects, throws } from "node:assert/strict";
import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { HEADER, REGION_STATE } from "../../app/memory/layout.ts";
import type { Context } from "../../app/guest/function/context.ts";
import type { FrameBurst } from "../../app/guest/function/frame_burst.ts";
import { GuestLcore } from "../../app/guest/guest_lcore.ts";
import { CommandWord } from "../../app/lcore/command.ts";
import type { FunctionModule } from "../../app/guest/function/function_module.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { Pair } from "./guest_pair.ts";

Deno.test("Guest attaches, forwards both ways, and leaves when it is told to stop", () => {
  using pair = new Pair();
  const { host, guest, log } = pair;
  pair.turns(4);
  equal(host.guest.state, GUEST_STATE.RUNNING);
  host.ports.p0.waiting = 100;
  host.ports.p1.waiting = 50;
  pair.turns(20);
  deepEqual(host.counters.map((of) => of[COUNTER.TX]), [50, 100]);
  guest.stop();
  pair.turns(4);
  equal(guest.isOver, true);
  equal(host.guest.state, GUEST_STATE.ABSENT);
  equal(pair.link.isClosed, true);
  deepEqual(log, [
    "forwarding (io) on core 0, ports: 0 p0, 1 p1, no doorbell",
    "frames go 0 <-> 1; MAC addresses stay as they are",
    "stopping",
    "received 150 frames, sent 150, dropped 0",
  ]);
  host.end();
});

Deno.test("Guest waits for its region, and says so once, with the names of those that there are", () => {
  using pair = new Pair();
  pair.isThere = false;
  pair.turns(5);
  deepEqual(pair.log, ["waiting for a host of region r0; there are blue, red"]);
  pair.isThere = true;
  pair.turns(4);
  equal(pair.host.guest.state, GUEST_STATE.RUNNING);
});

Deno.test("Guest claims its place again when the host has retired it", () => {
  using pair = new Pair();
  const { host } = pair;
  pair.turns(4);
  host.supervisor.close("is cut off");
  pair.turns(10);
  equal(host.guest.state, GUEST_STATE.RUNNING);
  equal(pair.threads.length, 1, "its lcores' threads stay");
  deepEqual(pair.log.slice(2, 4), [
    "the host is gone or has started anew",
    "received 0 frames, sent 0, dropped 0",
  ]);
});

Deno.test("Guest hands on what its functions have counted when it claims its place again", async () => {
  using pair = new Pair();
  const { host, guest } = pair;
  pair.turns(4);
  const setup = (context: Context) => {
    const seen = context.counter("seen");
    return (burst: FrameBurst) => seen.add(burst.count);
  };
  const swapped = guest.swap(pair.version({ setup }));
  pair.turns(10);
  await swapped;
  host.ports.p0.waiting = 100;
  pair.turns(10);
  host.supervisor.close("is cut off");
  pair.turns(10);
  equal(host.guest.state, GUEST_STATE.RUNNING);
  equal(pair.threads.at(-1)!.handle!.before?.counted.get("seen"), 100);
});

Deno.test("a guest lcore begins anew if a function cannot restore what it has saved, but no swap does", () => {
  using pair = new Pair();
  pair.turns(4);
  let times = 0;
  const module: FunctionModule = {
    setup() {
      times++;
    },
    restore() {
      throw new Error("no such port");
    },
  };
  const log: string[] = [];
  const command = CommandWord.create();
  const lcoreAfter = (isOptional: boolean) =>
    new GuestLcore(
      { ...pair.threads[0].handle!, before: { saved: [7], counted: new Map(), isOptional } },
      command,
      (line) => log.push(line),
      [{ handle: { name: "test", options: {} }, module }],
    );
  lcoreAfter(true);
  equal(times, 2);
  match(log[0], /^Cannot set up function test as it has thrown: no such port .*it begins anew/);
  throws(() => lcoreAfter(false), { name: "CulvertError", message: /no such port/ });
  command.close();
});

Deno.test("Guest bears a region that is not sound for five seconds, unless it was attached before", () => {
  using pair = new Pair({ guest: 1 });
  pair.turns(90);
  deepEqual(pair.log, []);
  pair.turns(100);
  equal(pair.log.length, 1, pair.log.join("\n"));
  throws(() => pair.turns(500), {
    name: "CulvertError",
    message: /^Cannot use region r0 as guest 1 /,
  });
});

Deno.test("Guest whose options do not fit the ports leaves before it fails", () => {
  using pair = new Pair({ portMask: "f" });
  throws(() => pair.turns(20), { name: "UsageError", message: /^Cannot use -p f / });
  pair.host.turns(4);
  equal(pair.host.guest.state, GUEST_STATE.ABSENT);
});

Deno.test("Guest that is told to stop while it claims a place takes the place and leaves it", () => {
  using pair = new Pair();
  pair.guest.step();
  pair.guest.stop();
  pair.turns(8);
  equal(pair.guest.isOver, true);
  equal(pair.host.guest.state, GUEST_STATE.ABSENT);
  deepEqual(pair.log.at(-1), "received 0 frames, sent 0, dropped 0");
});

/**
 * What the guest says when so many milliseconds have passed after its host has closed the region.
 */
function saidWithoutHost(milliseconds: number, change: (pair: Pair) => void): string[] {
  using pair = new Pair();
  change(pair);
  pair.turns(4);
  const { memory } = pair.host;
  memory.store(HEADER.STATE, REGION_STATE.CLOSED);
  pair.host.supervisor.close("is cut off");
  pair.turns(4);
  const from = pair.log.length;
  pair.turns(milliseconds / 10);
  return pair.log.slice(from);
}

const CLOSED = "waiting for the host: Cannot attach to region r0 as its host has closed it: " +
  "start the host again";

Deno.test("Guest says after a second, and once, that its host has closed the region", () => {
  deepEqual(saidWithoutHost(900, () => {}), []);
  deepEqual(saidWithoutHost(20_000, () => {}), [CLOSED]);
});

Deno.test("Guest in a VM says after 10 s without a host that the VM may have to boot again", () => {
  const inVm = ({ link }: Pair) => link.isPlugged = () => true;
  deepEqual(saidWithoutHost(9000, inVm), [CLOSED]);
  deepEqual(saidWithoutHost(20_000, inVm), [
    CLOSED,
    "no host has come to this VM's memory for 10 s: if one is at work for it, that has made new " +
    "memory, so boot this VM again",
  ]);
});

Deno.test("Guest that waits for the host of a file has it open no longer than a look takes", () => {
  using pair = new Pair();
  pair.link.isFile = true;
  pair.turns(4);
  pair.host.memory.store(HEADER.STATE, REGION_STATE.CLOSED);
  pair.host.supervisor.close("is cut off");
  pair.turns(10);
  const { opened } = pair;
  for (let look = 1; look <= 5; look++) {
    pair.link.isClosed = false;
    pair.turns(1);
    equal(pair.opened, opened + look);
    equal(pair.link.isClosed, true);
  }
  pair.host.memory.store(HEADER.STATE, REGION_STATE.READY);
  pair.turns(10);
  equal(pair.host.guest.state, GUEST_STATE.RUNNING);
});

Deno.test("Guest.swap() lets other functions take over, and all counters go on", async () => {
  using pair = new Pair();
  const { host, guest } = pair;
  pair.turns(4);
  host.ports.p0.waiting = 100;
  pair.turns(10);
  const drops = { default: (burst: FrameBurst) => burst.count > 0 && burst.drop(0) };
  const swapped = guest.swap(pair.version(drops as FunctionModule));
  host.ports.p0.waiting = 100;
  pair.turns(10);
  equal((await swapped).lost, 0);
  pair.turns(10);
  const sent = host.counters.map((of) => of[COUNTER.TX]);
  equal(sent[1] >= 100 && sent[1] < 200, true, `${sent}`);
  guest.stop();
  pair.turns(4);
  deepEqual(pair.log.at(-1), `received 200 frames, sent ${sent[1]}, dropped ${200 - sent[1]}`);
  host.end();
});

Deno.test("Guest.swap() leaves the functions of before at work if others cannot be set up", async () => {
  using pair = new Pair();
  const { guest } = pair;
  pair.turns(4);
  const setup = () => {
    throw new Error("no rules");
  };
  const swapped = rejects(guest.swap(pair.version({ setup })), {
    message: /^Cannot set up function test as it has thrown: no rules/,
  });
  pair.turns(10);
  await swapped;
  pair.forwardAndEnd();
});

Deno.test("Guest.swap() rejects if the guest stops, or if the host would have to lend mbufs", async () => {
  using pair = new Pair();
  const { host, guest } = pair;
  pair.turns(4);
  await rejects(guest.swap(pair.version({ originates: true, default() {} })), {
    message: "Cannot swap as the functions make frames now (originates): start culvert anew",
  });
  const swapped = rejects(guest.swap(pair.version({ default() {} })), {
    message: "the guest stops",
  });
  guest.stop();
  pair.turns(10);
  await swapped;
  equal(guest.isOver, true);
  host.end();
});
