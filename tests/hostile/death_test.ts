/**
 * Deaths, as many as there is time for: `deno task deaths` does the same for longer.
 *
 * @module
 */
import { Random } from "../kit/random.ts";
import { DEATHS } from "./death_kinds.ts";

/** How often each kind dies here, and what is well afterwards. */
const TIMES: Record<keyof typeof DEATHS, [times: number, name: string]> = {
  "guest": [10, "a guest that is killed under traffic loses no mbuf, and the next one forwards"],
  "host": [
    6,
    "a host that is killed under traffic leaves nothing, and its guest finds the next one",
  ],
  "server": [4, "a server that is killed is replaced by one of the same memory, and nobody waits"],
  "server-then-host": [
    1,
    "a host that is killed after its server leaves its region to the next one",
  ],
  "pause": [1, "a guest that was paused for too long touches nothing but what it held"],
  "creator": [6, "a host that dies between two steps of making a region is no trouble to the next"],
  "creator-file": [6, "a host that dies between two steps of making a file is none either"],
  "creator-server": [4, "a server that dies between two steps is none either"],
};

const seed = crypto.getRandomValues(new Uint32Array(1))[0];

for (const [kind, [times, name]] of Object.entries(TIMES)) {
  Deno.test(name, async () => {
    console.log(`  seed ${seed}`);
    console.log(`  ${kind}: ${await DEATHS[kind](times, new Random(seed))}`);
  });
}
