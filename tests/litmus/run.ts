/**
 * `deno task litmus`: the shim's atomics, and every call of it with hostile arguments, under clang's
 * sanitizers; and without each ordering, which must be noticed.
 *
 * @module
 */
import { UsageError } from "../../ffi/error.ts";
import { runTask } from "../ffi/run_task.ts";
import { Folder } from "../ffi/folder.ts";
import { type Check, CHECKS, CONTROLS } from "./controls.ts";
import { compile, run } from "./programs.ts";

const USAGE = `deno task litmus - litmus tests of the shim under clang's sanitizers

usage: deno task litmus [--seconds N]

  --seconds N   for each program, 10 unless told; hostile.c gets another seed each time

Needs the packages clang, libclang-rt-14-dev and libc6-dev.
`;

const SECONDS = 10;

function secondsOf(args: readonly string[]): number {
  if (args.length === 0) return SECONDS;
  const seconds = Number(args[1]);
  if (args.length === 2 && args[0] === "--seconds" && seconds > 0) return seconds;
  throw new UsageError(`Cannot understand ${args.join(" ")}\n\n${USAGE}`);
}

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

async function main(args: readonly string[]): Promise<boolean> {
  const seconds = secondsOf(args);
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
  return isGood;
}

await runTask(USAGE, main);
