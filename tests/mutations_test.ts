import { deepEqual } from "node:assert/strict";
import { misfit } from "./mutation/mutants.ts";
import { TABLES } from "./mutation/tables.ts";

for (const table of TABLES) {
  Deno.test(`each mutation of ${table.what} changes one place, and has its tests`, () => {
    deepEqual(table.mutations.flatMap((mutation) => misfit(table, mutation) ?? []), []);
  });
}
