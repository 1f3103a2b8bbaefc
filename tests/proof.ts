/**
 * `deno task proof`: all that proves a promise and takes long. It is run before a piece of work is
 * called done; `deno task test` has a short form of each but `machines`.
 *
 * @module
 */
import type { Parsed } from "../app/cli/options.ts";
import { runTool } from "../app/cli/run_program.ts";
import { installPrerequisites } from "./prerequisites.ts";
import { PROOF, PROOFS } from "./proof_table.ts";

const LOGS = ".cache/proof";

/** Run a task with its output in a file. Returns whether it ended well, and its last line. */
async function run(task: string, args: readonly string[]): Promise<[boolean, string]> {
  const path = `${LOGS}/${task}.log`;
  using log = await Deno.open(path, { write: true, create: true, truncate: true });
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "-q", task, ...args],
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const written = [child.stdout, child.stderr].map(async (stream) => {
    for await (const bytes of stream) log.writeSync(bytes);
  });
  const { success } = await child.status;
  await Promise.all(written);
  const lines = (await Deno.readTextFile(path)).split("\n").filter((line) => line.trim() !== "");
  return [success, lines.at(-1) ?? ""];
}

async function main({ values: { only } }: Parsed<typeof PROOF>): Promise<number> {
  const proofs = PROOFS.filter(({ task }) => only === undefined || only.includes(task));
  await installPrerequisites();
  await Deno.mkdir(LOGS, { recursive: true });
  const total = proofs.reduce((sum, { minutes }) => sum + minutes, 0);
  console.log(`takes about ${total} min; each task's output is in ${LOGS}`);
  const bad: string[] = [];
  for (const { task, args, shows, minutes } of proofs) {
    console.log(`${[task, ...args].join(" ")}: ${shows}; about ${minutes} min`);
    const start = performance.now();
    const [isGood, last] = await run(task, args);
    const seconds = ((performance.now() - start) / 1000).toFixed(0);
    console.log(`  after ${seconds} s: ${isGood ? "" : "FAILS: "}${last}`);
    if (!isGood) bad.push(task);
  }
  console.log(
    bad.length === 0
      ? `GOOD: ${proofs.map(({ task }) => task).join(", ")}`
      : `BAD: ${bad.join(", ")}, see ${LOGS}`,
  );
  return bad.length === 0 ? 0 : 1;
}

await runTool(PROOF, main);
