import { equal, match, ok, throws } from "node:assert/strict";
import { atomicsCheckBytes, checkAtomics } from "../../app/toolkit/atomics_check.ts";
import { addMemzone } from "../../app/toolkit/raw_memzone.ts";
import { ZONE_KIND } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { runWorkers } from "../ffi/run_workers.ts";
import type { AtomicsAnswer, AtomicsOrder } from "./atomics_check_worker.ts";

const url = new URL("./atomics_check_worker.ts", import.meta.url);

/** Let Workers check each other's atomics; those of the last may be broken. */
async function checkBetween(parties: number, isLastBroken: boolean): Promise<AtomicsAnswer[]> {
  using memory = freshMemory(1 << 20);
  const region = Region.build(memory, "r0");
  const zone = region.addMemzone("check", ZONE_KIND.RAW, atomicsCheckBytes(parties));
  return await runWorkers<AtomicsOrder, AtomicsAnswer>(
    url,
    Array.from({ length: parties }, (_, party) => {
      const isBroken = isLastBroken && party === parties - 1;
      return { memory: memory.handle, zone, party, parties, isBroken };
    }),
  );
}

for (const parties of [1, 2, 3]) {
  Deno.test(`checkAtomics() counts each addition of ${parties} at once`, async () => {
    const answers = await checkBetween(parties, false);
    for (const answer of answers) equal(answer, answers[0], "all agree");
    ok(Number(answers[0]) >= parties * 50_000, `only ${answers[0]} additions`);
  });
}

Deno.test("checkAtomics() tells every party of compare-and-swap that is not atomic in one", async () => {
  const answers = await checkBetween(2, true);
  for (const answer of answers) {
    match(
      `${answer}`,
      /^Cannot share .* as [1-9]\d* of \d+ additions to one word were lost: .*-smp 1,maxcpus=2$/,
    );
  }
});

Deno.test("checkAtomics() gives up when the others do not come, and says how many did", () => {
  using memory = freshMemory(1 << 20);
  const zone = addMemzone(Region.build(memory, "r0"), "check", atomicsCheckBytes(3));
  throws(() => checkAtomics(zone, 1, 3, { patience: 50 }), {
    name: "CulvertError",
    message: "Cannot check atomics in memzone check as 1 of 3 parties are there after 0.05 s: " +
      "let all call this at the same time, each with a number of its own",
  });
});

Deno.test("checkAtomics() refuses a memzone that is too small, was used, or a party that is none", () => {
  using memory = freshMemory(1 << 20);
  const region = Region.build(memory, "r0");
  const small = addMemzone(region, "small", atomicsCheckBytes(2) - 1);
  throws(() => checkAtomics(small, 0, 2), {
    message: "Cannot check atomics in memzone small as it has 383 bytes: 2 parties want 384",
  });
  const zone = addMemzone(region, "check", atomicsCheckBytes(1));
  ok(checkAtomics(zone, 0, 1) >= 10_000);
  for (const party of [0, 1, -1]) {
    throws(() => checkAtomics(zone, party, 1), {
      message:
        `Cannot check atomics in memzone check as party ${party} of 1 has begun before, or ` +
        "is none: use a fresh memzone",
    });
  }
});
