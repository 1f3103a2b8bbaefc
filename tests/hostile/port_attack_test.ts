import assert from "node:assert/strict";
import { newSeed } from "../kit/random.ts";
import { reportText } from "../stage/report.ts";
import { attackPorts } from "./port_attack.ts";

for (
  const { what, ...order } of [
    { what: "TAPs and veths under attack, one core at work", lcores: 1, seed: 20 },
    { what: "TAPs and veths under attack, two cores at work", lcores: 2, seed: newSeed() },
    { what: "TAPs and AF_XDP under attack", lcores: 2, kind: "xdp", seed: newSeed() },
    { what: "hostile guests in a VM", lcores: 1, vm: true, seed: newSeed() },
  ] as const
) {
  Deno.test(`A host with ${what} keeps its promises, seed ${order.seed}`, async () => {
    const report = await attackPorts(order);
    const text = reportText(report);
    console.log(text);
    assert.deepEqual(report.broken, [], text);
    assert.equal(report.faults.length, 2, text);
  });
}
