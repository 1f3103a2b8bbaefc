import { deepEqual } from "node:assert/strict";
import { tryMutations } from "./mutants.ts";
import { TABLES } from "./tables.ts";

// The short form of `deno task mutation`: one mutation of each table, another one each time.

for (const table of TABLES) {
  const i = crypto.getRandomValues(new Uint32Array(1))[0] % table.mutations.length;
  const mutation = table.mutations[i];
  Deno.test(`the tests of ${table.what} notice a mutation that is chosen by chance`, async () => {
    deepEqual(await tryMutations(table, [mutation]), []);
  });
}
