import { equal } from "node:assert/strict";
import { takesAbout } from "../../app/cli/duration.ts";

for (
  const [seconds, text] of [
    [1, "5 s"],
    [8, "10 s"],
    [62, "60 s"],
    [89, "90 s"],
    [90, "2 min"],
    [400, "7 min"],
    [8000, "133 min"],
  ] as const
) {
  Deno.test(`takesAbout() tells ${seconds} s as ${text}`, () => {
    equal(takesAbout(seconds), `takes about ${text}`);
  });
}
