import { deepEqual, equal } from "node:assert/strict";
import { decodeRegion } from "../../app/inspect/decode.ts";
import { figuresOf } from "../../app/inspect/figures.ts";
import { reportText } from "../../app/inspect/report_text.ts";
import { portsText } from "../../app/host/hosted_ports.ts";
import { LiveTable } from "../../app/host/summary.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { TestHost } from "./test_host.ts";

/** Two ports of two queues and one of one, in the order of the guest's channels. */
const places = { a: { 0: "p*2 q*2 r" } };
const P = 0, P1 = 1, Q = 2, Q1 = 3;

/** The guest sends what came by each queue of p out by the same queue of q. */
function forward(host: TestHost): void {
  host.guests.a0.forward(P, Q);
  host.guests.a0.forward(P1, Q1);
}

Deno.test("Each queue of a port has an lcore, a channel and counters of its own", () => {
  using host = new TestHost({ places, lcores: 2 });
  deepEqual(host.host.ports.map(({ lcore }) => lcore), [0, 1, 0, 1, 0]);
  deepEqual(host.host.ports.map(({ port, queue }) => [port, queue]), [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
    [2, 0],
  ]);
  host.attach("a0");
  host.ports.p.waiting = 10;
  host.ports["p/1"].waiting = 25;
  host.turns(10, () => forward(host));
  deepEqual([host.ports.q.sent.length / 2, host.ports["q/1"].sent.length / 2], [10, 25]);
  deepEqual(host.counters.map((of) => [of[COUNTER.RX], of[COUNTER.TX]]), [
    [10, 0],
    [25, 0],
    [0, 10],
    [0, 25],
    [0, 0],
  ]);
  host.end();
});

Deno.test("A port of several queues is one in logs, tables and what inspect and top tell", () => {
  using host = new TestHost({ places, lcores: 2 });
  equal(portsText(host.host.ports), "p (2 queues), q (2 queues), r");
  host.attach("a0");
  host.ports.p.waiting = 10;
  host.ports["p/1"].waiting = 25;
  host.turns(30, () => forward(host));
  const table = new LiveTable(host.host.summedPorts).text().split("\n").slice(1);
  deepEqual(table.map((row) => row.trim().split(/\s+/)), [
    ["p", "35", "0.000", "0", "0.000", "0"],
    ["q", "0", "0.000", "35", "0.000", "0"],
    ["r", "0", "0.000", "0", "0.000", "0"],
  ]);
  const report = decodeRegion(host.memory);
  const { ports } = figuresOf({ name: "a", run: "1", report });
  deepEqual(
    ports.map(({ name, number, rx, tx, cores }) => [name, number, rx.frames, tx.frames, cores]),
    [
      ["p", 0, 35, 0, [0, 1]],
      ["q", 1, 0, 35, [0, 1]],
      ["r", 2, 0, 0, [0]],
    ],
  );
  equal(ports[0].rings.rx.slots, 2 * ports[2].rings.rx.slots);
  const text = reportText("a", report);
  equal(text.match(/^ +g0\.p0 +port p, .*, 2 queues, /gm)?.length, 1, text);
  equal(text.match(/port: received 35, sent 0, dropped 0/g)?.length, 1, text);
  equal(text.match(/lcores of queue 1: /g)?.length, 2, text);
});

Deno.test("A port is down as long as one of its queues is, and that is said once", () => {
  using host = new TestHost({ places, lcores: 2 });
  host.attach("a0");
  const said: string[] = [];
  const set = (queue: number, isDown: number) => {
    host.log.length = 0;
    host.counters[queue][COUNTER.DOWN] = isDown;
    host.turns(2);
    said.push(host.log.join());
  };
  set(P, 1);
  set(P1, 1);
  set(P, 0);
  set(P1, 0);
  deepEqual(said, ["port p is down: its frames are dropped", "", "", "port p is up again"]);
});

Deno.test("Queues keep their order and accounts when the guest dies and another attaches", () => {
  using host = new TestHost({ places, lcores: 2 });
  host.attach("a0");
  for (const port of ["p", "p/1"]) host.ports[port].waiting = 20;
  host.turns(3); // with the guest, which has not forwarded them
  host.host.regions[0].guests[0].supervisor.close("died");
  host.turns(10);
  host.attach("a0");
  for (const port of ["p", "p/1"]) host.ports[port].waiting = 20;
  host.turns(10, () => forward(host));
  deepEqual([host.ports.q.sent.length / 2, host.ports["q/1"].sent.length / 2], [20, 20]);
  host.end();
});
