/**
 * `deno task deaths`: kill one thing after another, at random moments, and see that all is well afterwards.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { Random } from "../kit/random.ts";
import { pause } from "../kit/wait.ts";
import { DEATHS } from "./death_kinds.ts";
import { VM_DEATHS } from "./death_vm_kinds.ts";

const all = { ...DEATHS, ...VM_DEATHS };

const USAGE = `deno task deaths - kill one thing after another, under traffic

usage: deno task deaths [--times N] [--only KIND,KIND...] [--seed N]

  --times N    deaths of each kind (default 200)
  --only KIND  no other kinds than these: ${wrapped(Object.keys(all))}
  --seed N     of when they die; a fresh one if left out
  --help       show this text

SIGINT and SIGTERM end it after the death that is under way, and all that was made for it.
`;

/** A list that is continued below the text of an option. */
function wrapped(names: readonly string[]): string {
  const places = names.map((name, i) =>
    (i > 0 && i % 4 === 0 ? `\n${" ".repeat(15)}` : " ") + name
  );
  return places.join(",").trim();
}

function refuse(why: string): never {
  console.error(`${why}\n\n${USAGE}`);
  Deno.exit(2);
}

const OPTIONS = {
  times: { type: "string", default: "200" },
  only: { type: "string" },
  seed: { type: "string", default: `${crypto.getRandomValues(new Uint32Array(1))[0]}` },
  help: { type: "boolean", short: "h", default: false },
} as const;

function parse() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    refuse((error as Error).message);
  }
}

const values = parse();
if (values.help) {
  console.log(USAGE);
  Deno.exit(0);
}
if (!(Number(values.times) > 0)) refuse(`Cannot kill ${values.times} times`);
if (!(Number(values.seed) >= 0)) refuse(`Cannot use --seed ${values.seed} as it is no number`);
const kinds = values.only === undefined ? Object.keys(all) : values.only.split(",");
for (const kind of kinds) {
  if (!(kind in all)) {
    refuse(`Cannot kill ${kind}: what can be killed is ${Object.keys(all).join(", ")}`);
  }
}

/** Signals that ask for an end: the exit status says which one it was. */
const STATUS = { SIGINT: 130, SIGTERM: 143 } as const;
/** Milliseconds after which a signal that others were sent, too, is here. */
const SIGNAL_MS = 100;
let status = 0;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => status ||= STATUS[signal]);
}

console.log(`seed ${values.seed}`);
for (const kind of kinds) {
  const start = performance.now();
  try {
    const dice = new Random(Number(values.seed));
    const found = await all[kind](Number(values.times), dice, () => status !== 0);
    console.log(`${kind}: ${found} (${((performance.now() - start) / 1000).toFixed(0)} s)`);
  } catch (error) {
    // A terminal sends SIGINT to all that we have started, too: these may be gone before we are told.
    await pause(SIGNAL_MS);
    if (status === 0) throw error;
    console.log(`${kind}: ended by a signal: ${(error as Error).message.split("\n")[0]}`);
  }
  if (status !== 0) break;
}
Deno.exit(status);
