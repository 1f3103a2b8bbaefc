import { deepEqual, equal, ok } from "node:assert/strict";
import type { Chain } from "../../app/guest/function/chain.ts";
import type { GuestLane } from "../../app/guest/guest_lane.ts";
import { GuestLoop } from "../../app/guest/forward.ts";
import { Idle } from "../../app/lcore/idle.ts";
import { SLEEP } from "../../app/memory/layout.ts";
import { counted } from "./guest_counters.ts";
import { GuestLab, someFrame } from "./guest_lab.ts";
import { burstOf } from "../kit/burst_of.ts";

/** An idle strategy that writes down what it is told, and never waits. */
class IdleLog extends Idle {
  readonly log: ("reset" | "wait")[] = [];

  constructor() {
    super("poll");
  }

  override reset(): void {
    this.log.push("reset");
  }

  override wait(): void {
    this.log.push("wait");
  }
}

/** Run the loop for so many turns, 10 us each; `eachTurn` comes before each. */
function run(
  lab: GuestLab,
  lanes: GuestLane[],
  chain: Chain,
  turns: number,
  eachTurn: (turn: number) => void = () => {},
  { idle = new IdleLog() as Idle, turnNs = 10_000, beat = () => {}, tellBusy = (_: number) => {} } =
    {},
): void {
  let turn = 0;
  const isOver = () => {
    if (turn === turns) return true;
    eachTurn(turn++);
    return false;
  };
  const outputs = lab.outputs.filter((output) => output !== undefined);
  const clock = () => 1e9 + turn * turnNs;
  const loop = new GuestLoop(lanes, outputs, chain, isOver, beat, tellBusy, idle, clock);
  while (loop.turn());
}

function frames(count: number, seed = 0): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => someFrame(60, seed + i));
}

Deno.test("GuestLoop does nothing once it is over", async () => {
  using lab = new GuestLab();
  lab.lend(frames(5));
  run(lab, [lab.lane()], await lab.chain("io"), 0);
  deepEqual(counted(lab.counters[0]).RX, 0);
});

Deno.test("GuestLoop moves frames between two ports, both ways, all of them and in order", async () => {
  using lab = new GuestLab({ ports: 2 });
  const sent: Uint8Array[][] = [[], []];
  run(lab, [lab.lane(0, 1), lab.lane(1, 0)], await lab.chain("io"), 12, (turn) => {
    if (turn < 10) {
      lab.lend(frames(10, 10 * turn), 0);
      lab.lend(frames(32, 32 * turn), 1);
    }
    for (const port of [0, 1]) sent[port].push(...lab.sent(port));
  }, { turnNs: 110_000 });
  for (const port of [0, 1]) sent[port].push(...lab.sent(port));
  deepEqual(sent[1], frames(100));
  deepEqual(sent[0], frames(320));
  deepEqual(lab.counters.map((counters) => counted(counters).RX), [100, 320]);
  deepEqual(lab.counters.map((counters) => counted(counters).TX), [320, 100]);
});

for (const [name, from, to] of [["io", 0, 0], ["macswap", 0, 1], ["l2fwd", 1, 0]] as const) {
  Deno.test(`GuestLoop with ${name} sends what came by port ${from} by port ${to}`, async () => {
    using lab = new GuestLab({ ports: 2 });
    using other = new GuestLab({ ports: 2 });
    lab.lend(frames(32), from);
    run(lab, [lab.lane(from, to)], await lab.chain(name), 2);
    deepEqual(lab.sent(to), await other.through(name, frames(32), { from, to }));
    deepEqual(lab.sent(1 - to), []);
  });
}

for (const originates of [true, false]) {
  const which = originates ? "each turn, without frames too, if it makes some" : "with frames";
  Deno.test(`GuestLoop calls a function ${which}`, async () => {
    using lab = new GuestLab();
    const counts: number[] = [];
    const chain = await lab.chain({ originates, default: ({ count }) => void counts.push(count) });
    run(lab, [lab.lane()], chain, 4, (turn) => {
      if (turn === 1) lab.lend(frames(40));
    });
    deepEqual(counts, originates ? [0, 32, 8, 0] : [32, 8]);
  });
}

Deno.test("GuestLoop sends a full burst at once", async () => {
  using lab = new GuestLab();
  lab.lend(frames(32));
  run(lab, [lab.lane()], await lab.chain("io"), 2, (turn) => {
    if (turn === 1) deepEqual(lab.sent(), frames(32));
  });
});

Deno.test("GuestLoop sends at once what has come in a turn that found less than a burst", async () => {
  using lab = new GuestLab();
  let sentIn = 0;
  run(lab, [lab.lane()], await lab.chain("io"), 100, (turn) => {
    if (turn === 1) lab.lend(frames(3)); // the first turn has looked at the clock
    if (sentIn === 0 && lab.host[0].tx.count === 3) sentIn = turn;
  });
  deepEqual(lab.sent(), frames(3));
  equal(sentIn, 2);
});

/** One frame for the first lane, while the second has a full burst in each turn. */
async function sentBesideFullBursts(turnNs: number): Promise<number> {
  using lab = new GuestLab({ ports: 2, ringSize: 128 });
  let sent = 0;
  run(lab, [lab.lane(0), lab.lane(1)], await lab.chain("io"), 31, (turn) => {
    if (turn === 1) lab.lend(frames(1), 0); // the first turn has looked at the clock
    lab.host[1].rx.enqueueBurst(lab.burst(frames(32)), 32);
    lab.sent(1);
    sent += lab.sent(0).length;
  }, { turnNs });
  return sent;
}

Deno.test("GuestLoop keeps frames back while there are full bursts and no time has passed", async () => {
  equal(await sentBesideFullBursts(99), 0);
});

Deno.test("GuestLoop sends kept frames even if other lanes are never idle", async () => {
  equal(await sentBesideFullBursts(10_000), 1);
});

Deno.test("GuestLoop tells ten times a second that it comes round, busy or idle", async () => {
  using lab = new GuestLab();
  const chain = await lab.chain("io");
  const rounds = () => lab.memory.load(lab.host[0].guestSleepWord + SLEEP.ROUNDS);
  run(lab, [lab.lane()], chain, 1001, undefined, { turnNs: 1_000_000 });
  equal(rounds(), 11, "at first, and each 100 ms of a second");
  run(lab, [lab.lane()], chain, 0);
  equal(rounds(), 11);
});

Deno.test("GuestLoop says ten times a second that the guest is alive", async () => {
  using lab = new GuestLab();
  let beats = 0;
  const beat = () => void beats++;
  run(lab, [lab.lane()], await lab.chain("io"), 1001, undefined, { turnNs: 1_000_000, beat });
  equal(beats, 11);
});

/** Idle from the first turn in succession that finds nothing to the next that finds something. */
class IdleTime extends IdleLog {
  now = 0;
  #since = 0;
  #ns = 0;
  override nanosecondsUntil(now: number): number {
    return this.#ns + (this.#since > 0 ? now - this.#since : 0);
  }
  override reset(): void {
    this.#ns = this.nanosecondsUntil(this.now);
    this.#since = 0;
  }
  override wait(): void {
    this.#since ||= this.now;
  }
}

Deno.test("GuestLoop tells each second which share of it had work", async () => {
  using lab = new GuestLab();
  const [told, idle]: [number[], IdleTime] = [[], new IdleTime()];
  const turnNs = 10_000_000;
  const eachTurn = (turn: number) => {
    idle.now = 1e9 + (turn + 1) * turnNs;
    if (turn < 200 && turn % 10 < 3) lab.lend(frames(1));
  };
  const options = { turnNs, idle, tellBusy: (share: number) => told.push(share) };
  run(lab, [lab.lane()], await lab.chain("rxonly"), 420, eachTurn, options);
  equal(told.length, 4);
  ok(told[0] > 0.25 && told[0] < 0.35, `${told}`);
  ok(told[3] < 0.01, `${told}`);
});

Deno.test("GuestLoop is idle in turns that find nothing, and only in those", async () => {
  using lab = new GuestLab({ ports: 2 });
  const idle = new IdleLog();
  const lanes = [lab.lane(0), lab.lane(1)];
  const eachTurn = (turn: number) => {
    if (turn === 1) lab.lend(frames(1), 0);
    if (turn === 3) lab.lend(frames(1), 1);
  };
  run(lab, lanes, await lab.chain("rxonly"), 5, eachTurn, { idle });
  deepEqual(idle.log, ["wait", "reset", "wait", "reset", "wait"]);
});

Deno.test("GuestLoop is not idle while its mode makes frames", async () => {
  using lab = new GuestLab();
  const idle = new IdleLog();
  lab.host[0].lend.enqueueBulk(burstOf([1, 128]), 1);
  run(lab, [lab.lane()], await lab.chain("txonly"), 2, () => {}, { idle });
  deepEqual(idle.log, ["reset", "wait"]);
});
