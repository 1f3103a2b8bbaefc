import { CANNOT_RUN, runArea } from "./area.ts";

/** What is asked for, and what its rows are called. */
const RUNS: readonly (readonly [string, string, ...RegExp[]])[] = [
  ["path", "hugepages, 64 B", /^memory round trip, hugepages, 64 B +Mpps/m],
  ["ports", "without loss", /^veth .* without loss +Mpps/m],
  ["latency", "", /^one frame .* p99\.9 +ns/m, /^ping.* worst +us/m],
  ["capture", ", 64 B", /^veth .* 64 B, captured +Mpps/m],
  ["scale", "", /8 guests/, /million mbufs/, /idle channel/],
  ["ring", "burst 128", /V8's limit/],
];

for (const [area, only, ...rows] of RUNS) {
  const name = `bench ${area} runs, and ends with a verdict`;
  Deno.test({ name, ignore: CANNOT_RUN, fn: () => runArea(area, only, rows) });
}
