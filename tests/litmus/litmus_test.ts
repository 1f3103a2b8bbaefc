import { deepEqual, ok, throws } from "node:assert/strict";
import { CHECKS, CONTROLS } from "./controls.ts";
import { Judge, nameOf } from "./judge.ts";
import { shimSources } from "./programs.ts";

// The short form of `deno task litmus`: all programs for a moment, and one control of each kind.

const SECONDS = 0.3;

Deno.test("litmus programs find nothing wrong in the shim", async () => {
  using judge = new Judge();
  const wrong: string[] = [];
  for (const check of CHECKS) {
    const { isGood, text } = await judge.check(check, SECONDS);
    if (!isGood) wrong.push(`${nameOf(check)}: ${text}`);
  }
  deepEqual(wrong, []);
});

for (const [kind, [control]] of Object.entries(CONTROLS)) {
  Deno.test(`litmus programs notice ${kind}: ${nameOf(control)} without ${control.without}`, async () => {
    using judge = new Judge();
    const { isGood, text } = await judge.control(control);
    ok(isGood, text);
  });
}

Deno.test("each litmus control changes the shim as it is today", () => {
  for (const { build } of Object.values(CONTROLS).flat()) shimSources(build.mutation);
  throws(() => shimSources({ in: "shim_pause", from: "fence", to: "" }), {
    name: "CulvertError",
    message: "Cannot change shim_pause as it has no fence: adapt the mutation",
  });
});
