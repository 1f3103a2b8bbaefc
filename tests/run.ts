/**
 * `deno task test`: installs what is missing, passes the quick gate, then runs all tests, those that
 * need root, namespaces, a VM or DPDK included. Arguments are files or folders to run instead of
 * all.
 *
 * @module
 */
import { installPrerequisites } from "./prerequisites.ts";

const REPORT = ".cache/tests.xml";

async function deno(...args: string[]): Promise<boolean> {
  const { success } = await new Deno.Command(Deno.execPath(), { args }).spawn().status;
  return success;
}

/** The totals of a JUnit report's first element. */
async function totals(): Promise<{ passed: number; failed: number; skipped: number }> {
  const text = await Deno.readTextFile(REPORT);
  const number = (name: string) => Number(new RegExp(`${name}="(\\d+)"`).exec(text)?.[1] ?? 0);
  const failed = number("failures") + number("errors");
  const skipped = text.split("<skipped").length - 1;
  return { passed: number("tests") - failed - skipped, failed, skipped };
}

await installPrerequisites();
if (Deno.args.length === 0 && !await deno("task", "ok")) Deno.exit(1);
const chosen = Deno.args.length === 0 ? ["tests"] : Deno.args;
const isGood = await deno("test", "-A", "--no-check", `--junit-path=${REPORT}`, ...chosen);
const { passed, failed, skipped } = await totals();
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
Deno.exit(isGood && passed > 0 ? 0 : 1);
