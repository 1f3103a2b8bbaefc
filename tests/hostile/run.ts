/**
 * `deno task hostile`: guests that write all over their region, and what the host promises then.
 *
 * @module
 */
import { takesAbout } from "../../app/cli/duration.ts";
import type { Parsed } from "../../app/cli/options.ts";
import { runTool } from "../../app/cli/run_program.ts";
import { newSeed } from "../kit/random.ts";
import { promisesVerdict } from "../kit/verdict.ts";
import { reportText } from "../stage/report.ts";
import { attackMemory, type AttackOrder } from "./memory_attack.ts";
import { attackPorts } from "./port_attack.ts";
import { HOSTILE } from "./table.ts";
import { measureTurns } from "./turn_cost.ts";

/** Seconds for what does not depend on `--seconds`: real ports, and what a turn costs. */
const PORTS_SECONDS = 20;

/** The attacks in memory. */
const ATTACKS: readonly (Partial<AttackOrder> & { readonly title: string })[] = [
  { title: "no quarantine, one lcore", quarantineAfter: 0, lcores: 1 },
  { title: "no quarantine, two lcores", quarantineAfter: 0, lcores: 2 },
  { title: "quarantine, one lcore", lcores: 1 },
  { title: "quarantine, two lcores", lcores: 2 },
  {
    title: "no quarantine, all guests in one region, lies alone",
    quarantineAfter: 0,
    onlyLie: true,
  },
];

await runTool(HOSTILE, async ({ values }: Parsed<typeof HOSTILE>): Promise<number> => {
  const { seed = newSeed(), seconds } = values;
  console.log(`seed ${seed}; ${takesAbout(seconds + PORTS_SECONDS)}`);
  const broken: string[] = [];
  for (const { title, ...order } of ATTACKS) {
    const attack = await attackMemory({ ...order, seed, seconds: seconds / ATTACKS.length });
    console.log(
      `\n${title}: ${attack.checked} frames of the sound guest checked, ` +
        `${attack.witnessed} of other guests, ${attack.isCrossingChecked ? "" : "not "}` +
        `also for whose port they left by`,
    );
    console.log([...attack.quarantined, attack.summary].join("\n"));
    broken.push(...attack.complaints);
  }
  console.log("\nreal ports");
  const report = await attackPorts({ seed, lcores: 1, log: console.log });
  console.log(reportText(report));
  broken.push(...report.broken);
  const left = [undefined, 0].map((after) => `${(100 * measureTurns(after).left).toFixed(0)} %`);
  console.log(`a sound guest keeps ${left[0]} of its rate with quarantine, ${left[1]} without`);
  for (const complaint of broken) console.log(`BROKEN: ${complaint}`);
  const verdict = promisesVerdict(broken.length, seed);
  console.log(verdict.line);
  return verdict.isGood ? 0 : 1;
});
