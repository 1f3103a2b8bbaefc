import { throws } from "node:assert/strict";
import { TypeChecker } from "../../app/cli/check_types.ts";

Deno.test({
  name: "TypeChecker that may not run Deno tells which command checks the same files",
  permissions: { run: false, read: "inherit" },
  fn() {
    throws(() => new TypeChecker(["io", "./my.ts", "../b.mts"]), {
      name: "UsageError",
      message:
        /may not run Deno here: run deno check --config=\/.*\/deno\.json \.\/my\.ts \.\.\/b\.mts$/,
    });
  },
});
