/**
 * `deno task deaths`: kill one thing after another, at random moments, and see that all is well afterwards.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { Random } from "../ffi/random.ts";
import { DEATHS } from "./death_kinds.ts";
import { VM_DEATHS } from "./death_vm_kinds.ts";

const all = { ...DEATHS, ...VM_DEATHS };

const USAGE = `deno task deaths - kill one thing after another, under traffic

usage: deno task deaths [--times N] [--only KIND,KIND...] [--seed N]

  --times N    deaths of each kind (default 200)
  --only KIND  no other kinds than these: ${wrapped(Object.keys(all))}
  --seed N     of when they die; a fresh one if left out
  --help       show this text
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
console.log(`seed ${values.seed}`);
for (const kind of kinds) {
  const start = performance.now();
  const found = await all[kind](Number(values.times), new Random(Number(values.seed)));
  console.log(`${kind}: ${found} (${((performance.now() - start) / 1000).toFixed(0)} s)`);
}
