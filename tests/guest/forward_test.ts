import { deepEqual, equal } from "node:assert/strict";
import type { ForwardingMode, GuestLane } from "../../app/guest/guest_lane.ts";
import { forward } from "../../app/guest/forward.ts";
import { MODES } from "../../app/guest/functions/mod.ts";
import { Idle } from "../../app/lcore/idle.ts";
import { shim } from "../../ffi/shim.ts";
import { counted, GuestLab, someFrame } from "./guest_lab.ts";
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

/** Run the loop for so many turns; `eachTurn` comes before each. */
function run(
  lanes: GuestLane[],
  mode: ForwardingMode,
  turns: number,
  eachTurn: (turn: number) => void = () => {},
  idle: Idle = new IdleLog(),
): void {
  let turn = 0;
  const isOver = () => {
    if (turn === turns) return true;
    eachTurn(turn++);
    return false;
  };
  forward(lanes, mode, isOver, idle);
}

function frames(count: number, seed = 0): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => someFrame(60, seed + i));
}

/** Let this much time pass. */
function busyWait(microseconds: number): void {
  for (const end = shim.shim_clock() + microseconds * 1000; shim.shim_clock() < end;);
}

Deno.test("guest forward() does nothing once it is over", () => {
  using lab = new GuestLab();
  lab.lend(frames(5));
  run([lab.lane()], MODES.io, 0);
  deepEqual(counted(lab.counters[0]).RX, 0);
});

Deno.test("guest forward() moves frames between two ports, both ways, all of them and in order", () => {
  using lab = new GuestLab({ ports: 2 });
  const sent: Uint8Array[][] = [[], []];
  run([lab.lane(0, 1), lab.lane(1, 0)], MODES.io, 12, (turn) => {
    if (turn < 10) {
      lab.lend(frames(10, 10 * turn), 0);
      lab.lend(frames(32, 32 * turn), 1);
    }
    for (const port of [0, 1]) sent[port].push(...lab.sent(port));
    busyWait(110);
  });
  for (const port of [0, 1]) sent[port].push(...lab.sent(port));
  deepEqual(sent[1], frames(100));
  deepEqual(sent[0], frames(320));
  deepEqual(lab.counters.map((counters) => counted(counters).RX), [100, 320]);
  deepEqual(lab.counters.map((counters) => counted(counters).TX), [320, 100]);
});

for (const [name, from, to] of [["io", 0, 0], ["macswap", 0, 1], ["l2fwd", 1, 0]] as const) {
  Deno.test(`guest forward() of mode ${name} sends what came to port ${from} by port ${to}`, () => {
    using lab = new GuestLab({ ports: 2 });
    using other = new GuestLab({ ports: 2 });
    lab.lend(frames(32), from);
    run([lab.lane(from, to)], MODES[name], 2);
    const burst = other.burst(frames(32));
    MODES[name](burst, 32, other.lane(from, to));
    deepEqual(lab.sent(to), Array.from({ length: 32 }, (_, i) => other.frame(burst, i)));
    deepEqual(lab.sent(1 - to), []);
  });
}

Deno.test("guest forward() calls its mode each turn, without frames too, for some make them", () => {
  using lab = new GuestLab();
  const counts: number[] = [];
  run(
    [lab.lane()],
    (_burst, count) => {
      counts.push(count);
      return 0;
    },
    4,
    (turn) => turn === 1 && lab.lend(frames(40)),
  );
  deepEqual(counts, [0, 32, 8, 0]);
});

Deno.test("guest forward() sends a full burst at once", () => {
  using lab = new GuestLab();
  lab.lend(frames(32));
  run([lab.lane()], MODES.io, 2, (turn) => {
    if (turn === 1) deepEqual(lab.sent(), frames(32));
  });
});

Deno.test("guest forward() sends fewer frames than a burst before long, though nothing else comes", () => {
  using lab = new GuestLab();
  let lentAt = 0;
  let sentAfter = 0;
  run([lab.lane()], MODES.io, 100_000, (turn) => {
    if (turn === 1) { // the first turn has set the clock
      lab.lend(frames(3));
      lentAt = shim.shim_clock();
    }
    if (turn > 1 && sentAfter === 0 && lab.host[0].tx.count === 3) {
      sentAfter = shim.shim_clock() - lentAt;
    }
  });
  deepEqual(lab.sent(), frames(3));
  equal(sentAfter > 0 && sentAfter < 50e6, true, `${sentAfter} ns`);
});

Deno.test("guest forward() keeps frames back while there is no full burst and no time has passed", () => {
  using lab = new GuestLab();
  let kept = 0;
  for (let tries = 0; tries < 20 && kept === 0; tries++) {
    run([lab.lane()], MODES.io, 3, (turn) => {
      if (turn === 1) lab.lend(frames(3));
    });
    kept = 3 - lab.sent().length;
  }
  equal(kept, 3);
});

Deno.test("guest forward() sends kept frames even if other lanes are never idle", () => {
  using lab = new GuestLab({ ports: 2, ringSize: 128 });
  let sent = 0;
  const start = shim.shim_clock();
  run([lab.lane(0), lab.lane(1)], MODES.io, 1000, (turn) => {
    if (turn === 1) lab.lend(frames(1), 1);
    lab.host[0].rx.enqueueBurst(lab.burst(frames(1)), 1);
    lab.sent(0);
    sent += lab.sent(1).length;
    if (turn > 500 && sent === 0 && shim.shim_clock() - start < 5e7) busyWait(1);
  });
  equal(sent, 1);
});

Deno.test("guest forward() is idle in turns that find nothing, and only in those", () => {
  using lab = new GuestLab({ ports: 2 });
  const idle = new IdleLog();
  const lanes = [lab.lane(0), lab.lane(1)];
  const eachTurn = (turn: number) => {
    if (turn === 1) lab.lend(frames(1), 0);
    if (turn === 3) lab.lend(frames(1), 1);
  };
  run(lanes, MODES.rxonly, 5, eachTurn, idle);
  deepEqual(idle.log, ["wait", "reset", "wait", "reset", "wait"]);
});

Deno.test("guest forward() is not idle while its mode makes frames", () => {
  using lab = new GuestLab();
  const idle = new IdleLog();
  lab.host[0].lend.enqueueBulk(burstOf([1, 128]), 1);
  run([lab.lane()], MODES.txonly, 2, () => {}, idle);
  deepEqual(idle.log, ["reset", "wait"]);
});
