import { deepEqual, equal } from "node:assert/strict";
import * as learningSwitch from "../../app/guest/examples/learning_switch.ts";
import { frame, tryFunction } from "../../app/testing.ts";

const A = "00:00:5e:00:53:0a", B = "00:00:5e:00:53:0b";

Deno.test("learning_switch: floods what it does not know, then sends to the one port; it forgets", async () => {
  const fromA = frame.udp({ source: A, destination: B });
  const fromB = frame.udp({ source: B, destination: A });
  const { sent, counters } = await tryFunction(learningSwitch, [
    { bytes: fromA, port: 0 },
    { bytes: fromB, port: 2 },
    { bytes: fromA, port: 0 },
    { bytes: fromB, port: 0 },
    { bytes: fromA, port: 2, at: 1000 },
    { bytes: fromB, port: 1, at: 5000 },
  ], { ports: 4, set: { ageing: 3 } });
  deepEqual(
    sent.map(({ at, port, bytes }) => [at, bytes[11], port].join(" ")).sort(),
    [
      ...["0 10 1", "0 10 2", "0 10 2", "0 10 3", "0 11 0"], // A floods, B answers, A sends to B
      "1000 10 0", // B has moved to port 0, where A was: nothing is sent back. Then A moves.
      ...["5000 11 0", "5000 11 2", "5000 11 3"], // A is forgotten
    ],
  );
  equal(counters["copies without mbuf"], 0);
});

Deno.test("learning_switch: a group is no station, and its frames leave by all other ports", async () => {
  const group = frame.udp({ source: "01:00:5e:00:00:01", destination: A });
  const { sent } = await tryFunction(learningSwitch, [
    { bytes: group, port: 1 },
    { bytes: frame.arp({ source: A }), port: 2 },
    { bytes: frame.udp({ destination: "01:00:5e:00:00:01" }), port: 0 },
  ], { ports: 3 });
  deepEqual(sent.map(({ port }) => port).sort(), [0, 0, 1, 1, 2, 2]);
});

Deno.test("learning_switch: addresses that differ in their first or last byte alone are different stations", async () => {
  const stations = ["fe:ff:ff:ff:ff:ff", "fc:ff:ff:ff:ff:ff", "fe:ff:ff:ff:ff:fe"];
  const learnt = stations.map((source, port) => ({ bytes: frame.arp({ source }), port }));
  const asked = stations.map((destination) => ({ bytes: frame.udp({ destination }), port: 3 }));
  const { frames } = await tryFunction(learningSwitch, [...learnt, ...asked], { ports: 4 });
  deepEqual(frames.slice(3).map(({ port }) => port), [0, 1, 2]);
});

Deno.test("learning_switch: a full burst is flooded over four ports, and no copy is missing", async () => {
  const frames = Array.from({ length: 256 }, () => frame.arp());
  for (const burst of [1, 32, 256]) {
    const { sent, counters } = await tryFunction(learningSwitch, frames, { ports: 4, burst });
    equal(counters["copies without mbuf"], 0);
    deepEqual([1, 2, 3].map((port) => sent.filter((of) => of.port === port).length), [
      256,
      256,
      256,
    ]);
  }
});
