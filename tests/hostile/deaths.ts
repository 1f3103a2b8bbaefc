/**
 * `deno task deaths [--times N] [--only KIND] [--seed N]`: kill one thing after another, at random moments,
 * and see that all is well afterwards. Thousands of times if it is told so; 200 of each kind if not.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { Random } from "../ffi/random.ts";
import { DEATHS } from "./death_kinds.ts";
import { VM_DEATHS } from "./death_vm_kinds.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    times: { type: "string", default: "200" },
    only: { type: "string" },
    seed: { type: "string", default: `${crypto.getRandomValues(new Uint32Array(1))[0]}` },
  },
});
const all = { ...DEATHS, ...VM_DEATHS };
const kinds = values.only === undefined ? Object.keys(all) : values.only.split(",");
for (const kind of kinds) {
  if (!(kind in all)) {
    console.error(`Cannot kill ${kind}: what can be killed is ${Object.keys(all).join(", ")}`);
    Deno.exit(2);
  }
}
console.log(`seed ${values.seed}`);
for (const kind of kinds) {
  const start = performance.now();
  const found = await all[kind](Number(values.times), new Random(Number(values.seed)));
  console.log(`${kind}: ${found} (${((performance.now() - start) / 1000).toFixed(0)} s)`);
}
