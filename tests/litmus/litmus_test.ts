import { equal, match, rejects } from "node:assert/strict";
import { Folder } from "../ffi/folder.ts";
import { CHECKS, CONTROLS } from "./controls.ts";
import { type Build, compile, run } from "./programs.ts";

/** Seconds for what finds nothing, and at most for what finds something. */
const SHORT = 0.5;
const LONG = 10;

function titleOf({ program, sanitizer, defines = [] }: Build, args: readonly string[]): string {
  return [`${program}.c`, ...args, ...defines].join(" ") +
    (sanitizer ? `, ${sanitizer} sanitizer` : "");
}

for (const { build, args } of CHECKS) {
  Deno.test(`${titleOf(build, args)}: finds nothing wrong`, async () => {
    using folder = new Folder();
    const { code, text } = await run(await compile(folder, build), ...args, SHORT);
    match(text, /[1-9]\d* rounds, 0 wrong/);
    equal(code, 0, text);
  });
}

for (const { build, args, without, notices } of CONTROLS) {
  Deno.test(`${titleOf(build, args)}: notices that ${without} is missing`, async () => {
    using folder = new Folder();
    const path = await compile(folder, build);
    let { text } = await run(path, ...args, SHORT);
    if (!notices.test(text)) ({ text } = await run(path, ...args, LONG));
    match(text, notices);
  });
}

Deno.test("compile() throws when a mutation changes nothing", async () => {
  using folder = new Folder();
  const mutation = { in: "shim_pause", from: "fence", to: "" };
  await rejects(compile(folder, { program: "atomics", mutation }), {
    name: "CulvertError",
    message: "Cannot change shim_pause as it has no fence: adapt the mutation",
  });
});
