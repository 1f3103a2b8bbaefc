import { deepEqual, equal } from "node:assert/strict";
import { Burst } from "../../app/ring/burst.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { COMMAND } from "../../app/lcore/command.ts";
import { Idle } from "../../app/lcore/idle.ts";
import { HostLoop } from "../../app/host/forward.ts";
import type { LinkPort } from "../../app/port/link_port.ts";
import { freshCommand } from "../lcore/fresh_command.ts";
import { TestHost } from "./test_host.ts";
import { counted } from "./test_ports.ts";

/** An idle strategy that writes down what it is told, and never waits. */
class IdleLog extends Idle {
  readonly log: ("reset" | "wait")[] = [];
  watched: number[] = [];

  constructor() {
    super("poll");
  }

  override watch(fds: number[]): void {
    this.watched = fds;
  }

  override reset(): void {
    this.log.push("reset");
  }

  override wait(): void {
    this.log.push("wait");
  }
}

/**
 * The loop over all lanes of some hosts, turn by turn: with the test's command, clock and idle log.
 */
class LoopLab implements Disposable {
  readonly command = freshCommand();
  readonly idle = new IdleLog();
  readonly loop: HostLoop;
  /** Nanoseconds. */
  now = 1e9;

  constructor(...hosts: TestHost[]) {
    const lcores = hosts.map(({ threads: [{ running }] }) => running!);
    this.loop = new HostLoop(
      lcores.flatMap(({ lanes }) => lanes),
      lcores.flatMap(({ gates }) => gates),
      this.command,
      this.idle,
      () => this.now,
    );
  }

  turns(count: number, act: (turn: number) => void = () => {}): void {
    for (let turn = 0; turn < count; turn++) {
      act(turn);
      equal(this.loop.turn(), true);
    }
  }

  [Symbol.dispose](): void {
    this.command[Symbol.dispose]();
  }
}

Deno.test("HostLoop moves frames between all its ports and a guest until it is told to stop", () => {
  using lab = new TestHost({ ports: 2 });
  using loop = new LoopLab(lab);
  const [[, a], [, b]] = [lab.lane(0), lab.lane(1)];
  const guest = lab.attachOnly();
  const burst = Burst.of(32);
  a.waiting = 320;
  b.waiting = 32;
  loop.turns(20, () => {
    for (const [from, to] of [[0, 1], [1, 0]]) {
      guest[to].tx.enqueueBurst(burst, guest[from].rx.dequeueBurst(burst, 32));
    }
  });
  loop.command.value = COMMAND.STOP;
  equal(loop.loop.turn(), false);
  deepEqual(lab.counters.map(counted), [{ RX: 320, TX: 32 }, { RX: 32, TX: 320 }]);
  lab.checkAccounts();
});

Deno.test("HostLoop that drains takes no more frames, but brings home those with the guest", () => {
  using lab = new TestHost();
  using loop = new LoopLab(lab);
  const [, port] = lab.lane();
  const guest = lab.attachPort(true);
  const burst = Burst.of(64);
  let lent = 0;
  port.waiting = 100;
  loop.turns(12, (turn) => {
    if (turn === 2) loop.command.value = COMMAND.DRAIN;
    if (turn === 5) guest.txBurst(burst, guest.rxBurst(burst, 64));
    if (turn === 8) guest.free(burst, lent = guest.allocBurst(burst, 64));
  });
  deepEqual(counted(lab.counters[0]), { RX: 64, TX: 64 });
  equal(port.waiting, 36);
  equal(lent, 64);
  lab.cutOff();
  lab.checkAccounts();
});

Deno.test("HostLoop that drains goes on receiving from links: their frames are under way", () => {
  using lab = new TestHost({ places: { r0: { 0: "link:x link:x" } } });
  using loop = new LoopLab(lab);
  const [, end] = lab.lane<LinkPort>(0);
  const guest = lab.attachOnly();
  const burst = Burst.of(64);
  equal(lab.region.mempool.allocBulk(burst, 64), 64);
  for (let i = 0; i < 64; i++) burst.words[2 * i + 1] |= 60 << 16;
  loop.command.value = COMMAND.DRAIN;
  equal(end.txBurst(burst, 64), 64);
  loop.turns(4);
  equal(guest[1].rx.dequeueBurst(burst, 64), 64);
  lab.cutOff();
});

Deno.test("HostLoop takes back what the guest gives back", () => {
  using lab = new TestHost();
  using loop = new LoopLab(lab);
  const [, port] = lab.lane();
  const guest = lab.attachPort();
  const burst = Burst.of(32);
  port.waiting = 20;
  loop.turns(2, (turn) => {
    if (turn === 1) guest.free(burst, guest.rxBurst(burst, 32));
  });
  deepEqual(counted(lab.counters[0]), { RX: 20, GUEST: 20 });
  lab.checkAccounts();
});

Deno.test("HostLoop tells its ports how long it had nothing to do, and how full bursts were", () => {
  using lab = new TestHost();
  using loop = new LoopLab(lab);
  const [, port] = lab.lane();
  loop.idle.nanosecondsUntil = (now) => now / 4;
  port.waiting = 32 * 50 + 8;
  loop.turns(51, () => loop.now += 500);
  loop.turns(1, () => loop.now += 100e6); // a turn that found nothing, 0.1 s later
  const [counters] = lab.counters;
  const { RX, RX_BURSTS, TX_BURSTS, LCORE_NS, IDLE_NS } = COUNTER;
  equal(counters[IDLE_NS], loop.now / 4);
  equal(counters[LCORE_NS], loop.now - 1e9);
  deepEqual([counters[RX], counters[RX_BURSTS], counters[TX_BURSTS]], [1608, 51, 0]);
});

Deno.test("HostLoop follows every gate, each turn, before it moves frames", () => {
  using lab = new TestHost();
  using other = new TestHost();
  using loop = new LoopLab(lab, other);
  const [, port] = lab.lane();
  port.waiting = 1000;
  loop.turns(6, (turn) => {
    for (const { region: { guests: [{ gate }] } } of [lab, other]) {
      if (turn === 3) gate.open(false);
      if (turn === 4) equal(gate.isAcknowledged, true);
    }
    if (turn === 3) port.waiting = 10;
  });
  deepEqual(counted(lab.counters[0]), { RX: 106, NO_GUEST: 96 });
  equal(lab.region.ledger.framesHeldBy(0), 10);
});

Deno.test("HostLoop is idle in turns that find nothing, and only in those", () => {
  using lab = new TestHost();
  using loop = new LoopLab(lab);
  const [, port] = lab.lane();
  const guest = lab.attachPort();
  const burst = Burst.of(32);
  loop.turns(7, (turn) => {
    if (turn === 1) port.waiting = 2;
    if (turn === 3) guest.txBurst(burst, guest.rxBurst(burst, 1));
    if (turn === 5) guest.free(burst, guest.rxBurst(burst, 1));
  });
  deepEqual(loop.idle.log, ["wait", "reset", "wait", "reset", "wait", "reset", "wait"]);
  lab.checkAccounts();
});

Deno.test("HostLoop refreshes ports at once, then ten times a second, and sleeps on them", () => {
  using lab = new TestHost();
  using loop = new LoopLab(lab);
  const [, port] = lab.lane();
  port.pollable = [11, 12];
  loop.turns(1);
  equal(port.refreshes, 1);
  const { wakeFd } = loop.command.handle;
  deepEqual(loop.idle.watched, [wakeFd, 11, 12]);
  port.pollable = [];
  loop.turns(25, () => loop.now += 10e6);
  equal(port.refreshes, 3);
  deepEqual(loop.idle.watched, [wakeFd]);
});

Deno.test("HostLoop refreshes ports that are never idle, too", () => {
  using lab = new TestHost();
  using loop = new LoopLab(lab);
  const [, port] = lab.lane();
  port.waiting = Infinity;
  loop.turns(2000, () => loop.now += 100e3);
  equal(port.refreshes, 2);
});
