import { deepEqual, equal, throws } from "node:assert/strict";
import { COMMAND } from "../../app/lcore/command.ts";
import { HostLcore, type HostLcoreHandle, type MakePort } from "../../app/host/host_lcore.ts";
import { freshCommand } from "../lcore/fresh_command.ts";
import { FakePort } from "./fake_port.ts";
import { TestHost } from "./test_host.ts";
import { counted } from "./test_ports.ts";

/** What the host's lcore was sent; its own ends are given up, so that another one may have them. */
function handleOf({ threads: [thread] }: TestHost): HostLcoreHandle {
  thread.running!.close();
  thread.running = undefined;
  return thread.handle!;
}

/** Ports that have 50 frames each; when one is received from, `act` is called. */
function portsOf(act: () => void) {
  const ports: Record<string, FakePort> = {};
  const make: MakePort = ({ name }, resources) => {
    const port = ports[name] = new FakePort(resources);
    equal(resources.frameMax, 1522);
    port.waiting = 50;
    port.onReceive = act;
    return port;
  };
  return { ports, make };
}

/** None of these lcores logs anything. */
const fail = (line: string) => {
  throw new Error(line);
};

Deno.test("HostLcore.run() opens its ports, forwards, and gives all mbufs back when it is stopped", () => {
  using lab = new TestHost({ ports: 2 });
  using command = freshCommand();
  const { ports, make } = portsOf(() => command.value = COMMAND.STOP);
  HostLcore.run(handleOf(lab), command, make, fail);
  deepEqual(Object.entries(ports).map(([name, { isClosed }]) => [name, isClosed]), [
    ["p0", true],
    ["p1", true],
  ]);
  for (const counters of lab.counters) deepEqual(counted(counters), { RX: 32, NO_GUEST: 32 });
  equal(lab.region.mempool.available, 256, "its cache is empty");
  lab.checkAccounts();
});

Deno.test("HostLcore.run() lends to the guest that the gate lets in, by rings that it has reset", () => {
  using lab = new TestHost();
  using command = freshCommand();
  lab.memory.u32[lab.places[0].rx / 4] = 99; // a former guest's, say
  const [{ gate }] = lab.region.guests;
  gate.open(false);
  const { make } = portsOf(() => command.value = COMMAND.STOP);
  HostLcore.run(handleOf(lab), command, make, fail);
  equal(gate.isAcknowledged, true);
  equal(lab.region.ledger.framesHeldBy(0), 32);
  equal(lab.memory.u32[lab.places[0].rx / 4], 32);
  equal(lab.region.mempool.available, 256 - 32);
});

Deno.test("HostLcore.run() closes its ports and gives mbufs back even if one of them throws", () => {
  using lab = new TestHost({ ports: 2 });
  using command = freshCommand();
  const { ports, make } = portsOf(() => {
    if (ports.p1.waiting < 50) throw new Error("no more");
  });
  throws(() => HostLcore.run(handleOf(lab), command, make, fail), { message: "no more" });
  deepEqual(Object.values(ports).map(({ isClosed }) => isClosed), [true, true]);
  equal(lab.region.mempool.available, 256 - 32, "but for the burst that it had in its hands");
});
