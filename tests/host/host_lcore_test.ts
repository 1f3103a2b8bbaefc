import { deepEqual, equal, throws } from "node:assert/strict";
import { COMMAND } from "../../app/lcore/command.ts";
import { type HostLcoreInit, runHostLcore } from "../../app/host/host_lcore.ts";
import type { PortResources } from "../../app/port/kernel_port.ts";
import { freshCommand } from "../lcore/fresh_command.ts";
import { FakePort } from "./fake_port.ts";
import { counted, forLcore, HostLab, openedPort } from "./host_lab.ts";
import type { Burst } from "../../app/ring/burst.ts";

/** What an lcore with one lane for each of the lab's ports is sent. */
function order(lab: HostLab): HostLcoreInit {
  return {
    lcore: 0,
    regions: [forLcore(lab)],
    guests: [{ region: 0, number: 0, gate: lab.gate.handle, keeper: 0 }],
    lanes: lab.places.map((place, port) => ({
      guest: 0,
      setup: openedPort(`p${port}`).setup,
      place,
      counters: lab.counters[port],
    })),
    idle: "poll",
    burst: 32,
  };
}

/** A port that is received from once, and then tells its lcore to stop. */
class LastPort extends FakePort {
  constructor(resources: PortResources, private readonly stop: () => void) {
    super(resources);
    this.waiting = 50;
  }

  override rxBurst(burst: Burst, max: number): number {
    this.stop();
    return super.rxBurst(burst, max);
  }
}

Deno.test("runHostLcore() opens its ports, forwards, and gives all mbufs back when it is stopped", () => {
  using lab = new HostLab({ ports: 2 });
  using command = freshCommand();
  const opened: [string, FakePort][] = [];
  runHostLcore(order(lab), command, (setup, resources) => {
    equal(resources.frameMax, 1522);
    const port = new LastPort(resources, () => command.value = COMMAND.STOP);
    opened.push([setup.name, port]);
    return port;
  });
  deepEqual(opened.map(([name, { isClosed }]) => [name, isClosed]), [["p0", true], ["p1", true]]);
  for (const counters of lab.counters) deepEqual(counted(counters), { RX: 32, NO_GUEST: 32 });
  equal(lab.mempool.available, 256, "its cache is empty");
  lab.checkAccounts();
});

Deno.test("runHostLcore() lends to the guest that the gate lets in, by rings that it has reset", () => {
  using lab = new HostLab();
  using command = freshCommand();
  lab.memory.u32[lab.places[0].rx / 4] = 99; // a former guest's, say
  lab.gate.open(false);
  runHostLcore(
    order(lab),
    command,
    (_, resources) => new LastPort(resources, () => command.value = COMMAND.STOP),
  );
  equal(lab.gate.isAcknowledged, true);
  equal(lab.ledger.framesHeldBy(0), 32);
  equal(lab.memory.u32[lab.places[0].rx / 4], 32);
  equal(lab.mempool.available, 256 - 32);
});

Deno.test("runHostLcore() closes its ports and gives mbufs back even if one of them throws", () => {
  using lab = new HostLab({ ports: 2 });
  using command = freshCommand();
  const opened: FakePort[] = [];
  throws(() =>
    runHostLcore(order(lab), command, (_, resources) => {
      const port = new LastPort(resources, () => {
        if (opened[1].waiting < 50) throw new Error("no more");
      });
      opened.push(port);
      return port;
    }), { message: "no more" });
  deepEqual(opened.map(({ isClosed }) => isClosed), [true, true]);
  equal(lab.mempool.available, 256);
});
