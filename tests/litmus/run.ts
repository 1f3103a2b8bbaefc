/**
 * `deno task litmus`: the shim's atomics, and every call of it with hostile arguments, under clang's
 * sanitizers; and without each ordering, which must be noticed.
 *
 * @module
 */
import type { Parsed } from "../../app/cli/options.ts";
import { runTool } from "../../app/cli/run_program.ts";
import { Folder } from "../ffi/folder.ts";
import { type Check, CHECKS, CONTROLS } from "./controls.ts";
import { compile, run } from "./programs.ts";
import { LITMUS } from "./table.ts";

/** Run one program for a while; returns what it said. */
async function attempt({ build, args }: Check, seconds: number): Promise<string> {
  using folder = new Folder();
  const words = build.program === "hostile"
    ? [crypto.getRandomValues(new Uint32Array(1))[0]]
    : args;
  const { code, text } = await run(await compile(folder, build), ...words, seconds);
  console.log([`${build.program}.c`, ...words, build.sanitizer ?? ""].join(" "));
  return code === 0 ? text : `exit status ${code}\n${text}`;
}

async function main({ values: { seconds } }: Parsed<typeof LITMUS>): Promise<number> {
  let isGood = true;
  for (const check of CHECKS) {
    const text = await attempt(check, seconds);
    console.log(`  ${text.trim()}`);
    isGood &&= / 0 wrong/.test(text) && !text.startsWith("exit");
  }
  for (const control of CONTROLS) {
    const text = await attempt(control, seconds);
    const found = control.notices.exec(text)?.[0];
    console.log(`  without ${control.without}: ${found ?? `NOT NOTICED: ${text}`}`);
    isGood &&= found !== undefined;
  }
  return isGood ? 0 : 1;
}

await runTool(LITMUS, main);
