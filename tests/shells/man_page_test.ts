import { equal, match, ok } from "node:assert/strict";
import { COMMANDS } from "../../app/cli/commands.ts";
import { optionsOf } from "../../app/cli/command.ts";
import { culvert, run } from "./culvert.ts";

/** How mandoc makes letters bold: it writes them twice. */
const BACKSPACE = new RegExp(`.${String.fromCharCode(8)}`, "g");

/** The text of a man page as a terminal shows it, on one line. */
async function shown(page: string): Promise<string> {
  const { stdout } = await run("mandoc", ["-Tascii", "-Owidth=78"], page);
  return stdout.replaceAll(BACKSPACE, "").replaceAll(/\s+/g, " ");
}

/** A man page; mandoc has nothing to say of it. */
async function page(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await culvert("man", ...args);
  equal(code, 0, stderr);
  const lint = await run("mandoc", ["-Tlint"], stdout);
  equal(lint.stdout + lint.stderr, "");
  equal(lint.code, 0);
  return stdout;
}

for (const { table } of COMMANDS) {
  Deno.test(`culvert man ${table.name} is clean, and shows each option, text and example`, async () => {
    const text = await shown(await page(table.name));
    ok(text.startsWith(`CULVERT-${table.name.toUpperCase()}(1)`), text.slice(0, 80));
    ok(text.includes(table.summary));
    for (const [long, { about }] of Object.entries(optionsOf(table))) {
      match(text, new RegExp(`--(\\[no-\\])?${long}\\b`));
      ok(text.includes(about), about);
    }
    for (const part of [...table.intro ?? [], ...table.text ?? []].flat(2)) {
      ok(text.includes(part), part);
    }
    for (const { line } of table.examples ?? []) {
      ok(text.replaceAll("\\ ", "").includes(line), line);
    }
  });
}

Deno.test("culvert man is clean, and lists every command", async () => {
  const text = await shown(await page());
  for (const { table } of COMMANDS) {
    ok(text.includes(`culvert-${table.name}(1) ${table.summary}`), table.name);
  }
});

Deno.test("culvert man refuses what is no command", async () => {
  const { code, stderr } = await culvert("man", "hots");
  equal(code, 2);
  match(stderr, /^culvert: Cannot run "hots" as that is no command: did you mean host\?/);
});
