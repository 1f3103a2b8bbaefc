/**
 * `deno task test`: installs what is missing, then runs the quick gate and all tests, those that
 * need root, namespaces, a VM or DPDK included. Arguments are files or folders to run instead of
 * all.
 *
 * @module
 */
import { installPrerequisites } from "./prerequisites.ts";

/**
 * Suites that run beside the gate and beside each other, two files at a time: they measure no time,
 * count no frames that a busy machine may lose, and need no two threads to be at work at once, as
 * those of tests/litmus are. All others have the machine to themselves.
 */
const TOGETHER = [
  "tests/model",
  "tests/mutation",
  "tests/shells",
  "tests/system/bad_input_test.ts",
  "tests/system/hotplug_test.ts",
  "tests/system/hugepages_test.ts",
  "tests/system/inspect_test.ts",
  "tests/system/migration_test.ts",
  "tests/system/vm_doorbell_test.ts",
  "tests/vm",
];

/** How some tests ended. */
interface Outcome {
  /** That of their report in `.cache`. */
  readonly name: string;
  readonly isGood: boolean;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Run Deno. Its output is shown at once; or when it ends, where others print at the same time. */
async function deno(args: string[], shown: "at once" | "in the end" = "at once"): Promise<boolean> {
  const command = new Deno.Command(Deno.execPath(), { args, env: { DENO_JOBS: "2" } });
  if (shown === "at once") return (await command.spawn().status).success;
  const { success, stdout, stderr } = await command.output();
  await new Blob([stdout, stderr]).stream().pipeTo(Deno.stdout.writable, { preventClose: true });
  return success;
}

/** Run tests, which is no success if there are none. `name` is that of their JUnit report. */
async function test(name: string, args: string[], shown?: "in the end"): Promise<Outcome> {
  const report = `.cache/${name}.xml`;
  await Deno.remove(report).catch(() => {}); // it would speak for tests that crash and write none
  const isGood = await deno(
    ["test", "-A", "--no-check", "--lock=deno.lock", `--junit-path=${report}`, ...args],
    shown,
  );
  const text = await Deno.readTextFile(report).catch(() => "");
  // The totals are those of the first element.
  const number = (what: string) => Number(new RegExp(`${what}="(\\d+)"`).exec(text)?.[1] ?? 0);
  const failed = number("failures") + number("errors");
  const skipped = text.split("<skipped").length - 1;
  const passed = number("tests") - failed - skipped;
  return { name, isGood: isGood && passed > 0, passed, failed, skipped };
}

async function testAll(): Promise<Outcome[]> {
  const [first, isGateOpen] = await Promise.all([
    test("tests_together", ["--parallel", ...TOGETHER], "in the end"),
    deno(["task", "ok"]),
  ]);
  if (!isGateOpen) {
    console.log("Not all is well with deno task ok, see above: the other tests are left out");
    Deno.exit(1);
  }
  return [first, await test("tests", [`--ignore=${TOGETHER}`, "tests"])];
}

await installPrerequisites();
const outcomes = Deno.args.length === 0 ? await testAll() : [await test("tests", Deno.args)];
const bad = outcomes.filter(({ isGood }) => !isGood);
for (const { name } of bad) console.log(`Not all is well with ${name}, see above`);
const sum = (what: "passed" | "failed" | "skipped") =>
  outcomes.reduce((total, outcome) => total + outcome[what], 0);
console.log(`${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`);
Deno.exit(bad.length === 0 ? 0 : 1);
