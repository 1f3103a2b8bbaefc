import { equal, match } from "node:assert/strict";
import { Programs } from "../kit/programs.ts";

const ignore = Deno.uid() !== 0 || navigator.hardwareConcurrency < 2;

/** What is asked for, and what its rows are called. */
const RUNS: readonly (readonly [string, string, ...RegExp[]])[] = [
  ["path", "hugepages, 64 B", /^memory round trip, hugepages, 64 B +Mpps/m],
  ["ports", "without loss", /^veth .* without loss +Mpps/m],
  ["latency", "", /^one frame .* p99\.9 +ns/m, /^ping.* worst +us/m],
  ["capture", ", 64 B", /^veth .* 64 B, captured +Mpps/m],
  ["vm", ", 64 B", /^tap -> host -> VM -> tap, 64 B +Mpps/m],
  ["scale", "", /8 guests/, /million mbufs/, /idle channel/],
  ["ring", "burst 128", /V8's limit/],
];

for (const [area, only, ...rows] of RUNS) {
  Deno.test({ name: `bench ${area} runs, and ends with a verdict`, ignore }, async () => {
    await using programs = new Programs();
    const { code, stdout, stderr } = await programs.start(
      ...[Deno.execPath(), "run", "-A", "--no-check", "bench/main.ts", area, "--only", only],
      ...["--quick", "--turns", "1", "--no-peers"],
    ).ended(120_000);
    equal(code, 0, stderr);
    match(stderr, new RegExp(`^${area}: at most \\d+ (s|min)$`, "m"));
    for (const row of rows) match(stdout, row);
    match(stdout, /\nbench: \d+ rows in \d+ s; .*\n$/);
  });
}
