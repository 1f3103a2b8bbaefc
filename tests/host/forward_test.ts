import { deepEqual, equal } from "node:assert/strict";
import { COMMAND } from "../../app/lcore/command.ts";
import { Idle } from "../../app/lcore/idle.ts";
import { forward } from "../../app/host/forward.ts";
import type { PortResources } from "../../app/port/kernel_port.ts";
import { joinLinks, LinkPort } from "../../app/port/link_port.ts";
import { freshCommand } from "../lcore/fresh_command.ts";
import { FakePort } from "./fake_port.ts";
import { counted, HostLab } from "./host_lab.ts";
import { ScriptedCommand } from "./scripted_command.ts";
import { Burst } from "../../app/ring/burst.ts";

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

Deno.test("host forward() moves frames between all its ports and a guest until it is told to stop", () => {
  using lab = new HostLab({ ports: 2 });
  using word = freshCommand();
  const lanes = [0, 1].map((port) => lab.lane((resources) => new FakePort(resources), port));
  const [[, a], [, b]] = lanes;
  const guest = lab.attach();
  const burst = Burst.of(32);
  a.waiting = 320;
  b.waiting = 32;
  const command = new ScriptedCommand(word, (turn) => {
    for (const [from, to] of [[0, 1], [1, 0]]) {
      guest[to].tx.enqueueBurst(burst, guest[from].rx.dequeueBurst(burst, 32));
    }
    if (turn === 20) command.value = COMMAND.STOP;
  });
  forward(lanes.map(([lane]) => lane), [lab.keeper], command, new IdleLog());
  equal(command.turns, 21);
  deepEqual(lab.counters.map(counted), [{ RX: 320, TX: 32 }, { RX: 32, TX: 320 }]);
  lab.checkAccounts();
});

Deno.test("host forward() that drains takes no more frames, but brings home those with the guest", () => {
  using lab = new HostLab();
  using word = freshCommand();
  const [lane, port] = lab.lane((resources) => new FakePort(resources));
  const guest = lab.attachPort(true);
  const burst = Burst.of(64);
  let lent = 0;
  port.waiting = 100;
  const command = new ScriptedCommand(word, (turn) => {
    if (turn === 2) command.value = COMMAND.DRAIN;
    if (turn === 5) guest.txBurst(burst, guest.rxBurst(burst, 64));
    if (turn === 8) guest.free(burst, lent = guest.allocBurst(burst, 64));
    if (turn === 12) command.value = COMMAND.STOP;
  });
  forward([lane], [lab.keeper], command, new IdleLog());
  deepEqual(counted(lab.counters[0]), { RX: 64, TX: 64 });
  equal(port.waiting, 36);
  equal(lent, 64);
  lab.cutOff();
  lab.checkAccounts();
});

Deno.test("host forward() that drains goes on receiving from links: their frames are under way", () => {
  using lab = new HostLab({ ports: 2 });
  using word = freshCommand();
  const link = (resources: PortResources) => new LinkPort("link:x", resources);
  const [[lane, end], [otherLane, otherEnd]] = [0, 1].map((port) => lab.lane(link, port));
  joinLinks([end, otherEnd]);
  const guest = lab.attach();
  const burst = Burst.of(64);
  let received = 0;
  equal(lab.mempool.allocBulk(burst, 64), 64);
  for (let i = 0; i < 64; i++) burst.words[2 * i + 1] |= 60 << 16;
  const command = new ScriptedCommand(word, (turn) => {
    if (turn === 1) {
      command.value = COMMAND.DRAIN;
      equal(end.txBurst(burst, 64), 64);
    }
    if (turn === 5) received = guest[1].rx.dequeueBurst(burst, 64);
    if (turn === 6) command.value = COMMAND.STOP;
  });
  forward([lane, otherLane], [lab.keeper], command, new IdleLog());
  equal(received, 64);
  lab.cutOff();
});

Deno.test("host forward() takes back what the guest gives back", () => {
  using lab = new HostLab();
  using word = freshCommand();
  const [lane, port] = lab.lane((resources) => new FakePort(resources));
  const guest = lab.attachPort();
  const burst = Burst.of(32);
  port.waiting = 20;
  const command = new ScriptedCommand(word, (turn) => {
    if (turn === 1) guest.free(burst, guest.rxBurst(burst, 32));
    if (turn === 2) command.value = COMMAND.STOP;
  });
  forward([lane], [lab.keeper], command, new IdleLog());
  deepEqual(counted(lab.counters[0]), { RX: 20, GUEST: 20 });
  lab.checkAccounts();
});

Deno.test("host forward() follows every gate, each turn, before it moves frames", () => {
  using lab = new HostLab();
  using other = new HostLab();
  using word = freshCommand();
  const [lane, port] = lab.lane((resources) => new FakePort(resources));
  port.waiting = 1000;
  const command = new ScriptedCommand(word, (turn) => {
    for (const { gate } of [lab, other]) {
      if (turn === 3) gate.open(false);
      if (turn === 4) equal(gate.isAcknowledged, true);
    }
    if (turn === 3) port.waiting = 10;
    if (turn === 6) command.value = COMMAND.STOP;
  });
  forward([lane], [lab.keeper, other.keeper], command, new IdleLog());
  deepEqual(counted(lab.counters[0]), { RX: 106, NO_GUEST: 96 });
  equal(lab.ledger.framesHeldBy(0), 10);
});

Deno.test("host forward() is idle in turns that find nothing, and only in those", () => {
  using lab = new HostLab();
  using word = freshCommand();
  const [lane, port] = lab.lane((resources) => new FakePort(resources));
  const guest = lab.attachPort();
  const burst = Burst.of(32);
  const command = new ScriptedCommand(word, (turn) => {
    if (turn === 1) port.waiting = 2;
    if (turn === 3) guest.txBurst(burst, guest.rxBurst(burst, 1));
    if (turn === 5) guest.free(burst, guest.rxBurst(burst, 1));
    if (turn === 6) command.value = COMMAND.STOP;
  });
  const idle = new IdleLog();
  forward([lane], [lab.keeper], command, idle);
  deepEqual(idle.log, ["wait", "reset", "wait", "reset", "wait", "reset", "wait"]);
  lab.checkAccounts();
});

Deno.test("host forward() refreshes ports at once, then ten times a second, and sleeps on them", () => {
  using lab = new HostLab();
  using word = freshCommand();
  const [lane, port] = lab.lane((resources) => new FakePort(resources));
  port.pollable = [11, 12];
  const idle = new IdleLog();
  const start = performance.now();
  const command = new ScriptedCommand(word, (turn) => {
    if (turn === 1) {
      equal(port.refreshes, 1);
      deepEqual(idle.watched, [word.handle.wakeFd, 11, 12]);
      port.pollable = [];
    }
    if (performance.now() - start > 250) command.value = COMMAND.STOP;
  });
  forward([lane], [lab.keeper], command, idle);
  equal(port.refreshes >= 2 && port.refreshes <= 4, true, `${port.refreshes} times`);
  deepEqual(idle.watched, [word.handle.wakeFd]);
});

Deno.test("host forward() refreshes ports that are never idle, too", () => {
  using lab = new HostLab();
  using word = freshCommand();
  const [lane, port] = lab.lane((resources) => new FakePort(resources));
  port.waiting = Infinity;
  const start = performance.now();
  const command = new ScriptedCommand(word, () => {
    if (performance.now() - start > 150) command.value = COMMAND.STOP;
  });
  forward([lane], [lab.keeper], command, new IdleLog());
  equal(port.refreshes >= 2, true);
});
