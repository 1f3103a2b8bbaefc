/**
 * The tutorial, as its reader goes through it: each command is run, and each line of output that is
 * shown has to come, whatever its numbers are.
 *
 * @module
 */
import { match, ok } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { BOOT_MS, Lab, type Running, until, waitUntil } from "../kit/lab.ts";
import { readSource } from "../source_files.ts";

const MAIN = fileURLToPath(new URL("../../app/main.ts", import.meta.url));

/** A fenced part of the tutorial. */
interface Block {
  readonly language: string;
  readonly text: string;
}

/** The blocks of a document, in order. */
function blocksOf(document: string): Block[] {
  return [...readSource(document).matchAll(/^```(\w+)\n([^]*?)^```$/gm)]
    .map(([, language, text]) => ({ language, text: text.trimEnd() }));
}

/** What a line of output looks like with other numbers. */
function pattern(line: string): RegExp {
  const parts = line.split(/\d+(?:\.\d+)*/).map((part) => RegExp.escape(part));
  return new RegExp(parts.join("\\d+(?:\\.\\d+)*"));
}

/** Whether all `lines` are in what was said, in that order. */
function areIn(said: string, lines: readonly string[]): boolean {
  let rest = said.split("\n");
  return lines.every((line) => {
    const found = rest.findIndex((each) => pattern(line).test(each));
    rest = rest.slice(found + 1);
    return found >= 0;
  });
}

/**
 * A shell with `culvert` in its path, and with a network, folders and processes of its own: the
 * tutorial's names are free, and nothing outlives it.
 */
async function shell(lab: Lab, folder: string): Promise<Running> {
  const run = `exec ${Deno.execPath()} run -A --no-check ${MAIN} "$@"`;
  await Deno.writeTextFile(`${folder}/culvert`, `#!/bin/sh\n${run}\n`, { mode: 0o755 });
  const own = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const running = lab.start("unshare", ...own, "bash");
  for (
    const line of [
      "exec 2>&1",
      `cd ${folder} && PATH=${folder}:$PATH`,
      "mkdir -p /run/netns /run/culvert",
      "mount -t tmpfs own /run/netns && mount -t tmpfs -o mode=711 own /run/culvert",
    ]
  ) await running.write(line);
  return running;
}

Deno.test("the tutorial of app/guest/TUTORIAL.md goes as it says", async () => {
  const blocks = blocksOf("app/guest/TUTORIAL.md");
  ok(blocks.length > 15, `only ${blocks.length} blocks were found`);
  const folder = await Deno.makeTempDir({ prefix: "culvert-tutorial-" });
  await using _ = { [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
  await using lab = await Lab.open();
  const terminal = await shell(lab, folder);
  let said = 0;
  for (const [number, { language, text }] of blocks.entries()) {
    if (language === "ts") {
      await Deno.writeTextFile(`${folder}/nat.ts`, text);
    } else if (language === "sh") {
      said = terminal.stdout.length;
      await terminal.write(`${text}\necho END ${number}`);
      await until(() => new RegExp(`^END ${number}$`, "m").test(terminal.stdout.slice(said)));
    } else {
      const lines = text.split("\n");
      await waitUntil(() => areIn(terminal.stdout.slice(said), lines), BOOT_MS);
      ok(areIn(terminal.stdout.slice(said), lines), `${text}\nis not in\n${terminal.stdout}`);
    }
  }
  match(terminal.stdout, /10\.0\.0\.77 > 10\.0\.0\.2[^]*10\.0\.0\.78 > 10\.0\.0\.2/);
});
