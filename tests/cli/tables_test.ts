import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { type Command, fullName, limitsOf, type Option, optionsOf } from "../../app/cli/command.ts";
import { COMMANDS } from "../../app/cli/commands.ts";
import { findEntry } from "../../app/cli/entry.ts";
import { helpText, labelOf, overviewText } from "../../app/cli/help.ts";
import { parseOptions } from "../../app/cli/options.ts";
import { GUESTS_MAX } from "../../app/channel/ledger.ts";
import { PEER_ID_MAX } from "../../app/ivshmem/protocol.ts";
import { NODE_MAX } from "../../app/linux/numa.ts";
import { PORT_KINDS } from "../../app/port/port_spec.ts";
import { BURST_DEFAULT, BURST_MAX } from "../../app/ring/burst.ts";
import { GUEST } from "../../app/cli/tables/guest.ts";
import { HOST } from "../../app/cli/tables/host.ts";
import { RUN } from "../../app/cli/tables/run.ts";
import { BURST } from "../../app/cli/tables/shared.ts";
import { SERVER } from "../../app/cli/tables/server.ts";
import { UNPLUG } from "../../app/cli/tables/plug.ts";
import { QEMU } from "../../app/cli/tables/vm.ts";
import { TABLES } from "./tables.ts";

const WIDTH = 80;

/** Text of help without line breaks, in which a phrase may be wrapped. */
function flat(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}

/** A value that an option takes, as it is written. */
function sampleOf(option: Option): string {
  switch (option.kind) {
    case "number":
      return `${option.least}`;
    case "size":
      return "64M";
    case "choice":
    case "list":
      return option.choices[0];
    default:
      return "text";
  }
}

/** What arguments a command wants. */
function argumentsOf({ positionals = [] }: Command): string[] {
  return positionals.filter(({ optional }) => !optional).map(({ choices }) => choices?.[0] ?? "x");
}

for (const table of TABLES) {
  const name = fullName(table);
  const options = Object.entries(optionsOf(table));
  const help = helpText(table);

  Deno.test(`${name} --help fits ${WIDTH} columns`, () => {
    deepEqual(help.split("\n").filter((line) => line.length > WIDTH), []);
  });

  Deno.test(`${name} --help shows each option with its limits and default, each argument, each text`, () => {
    for (const [long, option] of options) {
      ok(help.split("\n").some((line) => line.trim().startsWith(labelOf(long, option))), long);
      ok(flat(help).includes(flat(`${option.about} ${limitsOf(option)}`.trim())), long);
    }
    for (const { name, about } of table.positionals ?? []) {
      ok(flat(help).includes(`${name} ${about}`), name);
    }
    for (const text of [...table.intro ?? [], ...table.text ?? []].flat(2)) {
      ok(flat(help).includes(flat(text)), text);
    }
    for (const { line } of table.examples ?? []) {
      ok(flat(help).replaceAll("\\ ", "").includes(line));
    }
  });

  Deno.test(`${name} takes each option by its long name, its short name, and after the others`, () => {
    const all = options.filter(([long]) => long !== "help");
    const written = all.flatMap(([long, option]) =>
      option.kind === "flag" ? [`--${long}`] : [`--${long}=${sampleOf(option)}`]
    );
    const found = parseOptions(table, [...written, ...argumentsOf(table)])!;
    deepEqual(found.given.map(({ name }) => name), all.map(([long]) => long));
    for (const [long, option] of all) {
      if (option.short === undefined) continue;
      const words = option.kind === "flag" ? [] : [sampleOf(option)];
      const short = parseOptions(table, [`-${option.short}`, ...words, ...argumentsOf(table)])!;
      deepEqual(short.given.map(({ name }) => name), [long]);
    }
  });

  Deno.test(`${name}'s table is sound`, () => {
    const shorts = options.flatMap(([, { short }]) => short === undefined ? [] : [short]);
    equal(new Set(shorts).size, shorts.length, "a short name twice");
    for (const [long, option] of options) {
      ok(/^[a-z][a-z-]+$/.test(long), long);
      ok(!/[.:]$/.test(option.about), `${long}: ends as a sentence`);
      if (option.kind === "choice" && option.default !== undefined) {
        ok(option.choices.includes(option.default), long);
      }
      if (option.kind === "number" && option.default !== undefined) {
        ok(option.default >= option.least && option.default <= (option.most ?? Infinity), long);
      }
      if (option.kind === "choice" && option.meanings) {
        deepEqual(Object.keys(option.meanings), option.choices);
      }
    }
    ok(!table.summary.endsWith("."));
    throws(() => parseOptions(table, ["--no-such-option"]), { name: "UsageError" });
  });
}

Deno.test("culvert --help lists every command, within 80 columns", () => {
  const tables = COMMANDS.map(({ table }) => table);
  const text = overviewText(tables);
  for (const { name, summary } of tables) ok(flat(text).includes(`${name} ${summary}`), name);
  deepEqual(text.split("\n").filter((line) => line.length > WIDTH), []);
});

Deno.test("findEntry() refuses what is no command, and names the one that was meant", () => {
  const refused = (name?: string) => {
    let message = "";
    throws(() => findEntry(COMMANDS, name), (error: Error) => {
      message = error.message;
      return error.name === "UsageError";
    });
    return message;
  };
  ok(refused().startsWith("Cannot run nothing as that is no command: there are host, guest, "));
  ok(refused("switch").startsWith('Cannot run "switch" as that is no command: there are host, '));
  equal(
    refused("guset"),
    'Cannot run "guset" as that is no command: did you mean guest? culvert --help tells all',
  );
  ok(refused("insp").includes("did you mean inspect?"));
});

Deno.test("limits that tables write as numbers are those of the code", () => {
  deepEqual([BURST.default, BURST.most], [BURST_DEFAULT, BURST_MAX]);
  for (const { options } of [HOST, GUEST, UNPLUG, QEMU]) equal(options.guest.most, GUESTS_MAX - 1);
  equal(HOST.options["numa-node"].most, NODE_MAX);
  equal(SERVER.options["first-id"].most, PEER_ID_MAX);
});

Deno.test("words, list and texts of --port tell the kinds that there are", () => {
  deepEqual(HOST.options.port.words.map((word) => word.replace(":", "")), [...PORT_KINDS]);
  const [, listed] = HOST.text;
  deepEqual(listed.flatMap(([form]) => /^[a-z]+/.exec(form)?.[0] ?? []), [...PORT_KINDS]);
  const { about } = RUN.options.port;
  deepEqual(PORT_KINDS.filter((kind) => !new RegExp(`\\b${kind}\\b`).test(about)), []);
});

Deno.test("no command parses its command line by itself", () => {
  const root = new URL("../../", import.meta.url);
  const files = (folder: string): string[] =>
    [...Deno.readDirSync(new URL(folder, root))].flatMap((entry) =>
      entry.isDirectory
        ? files(`${folder}${entry.name}/`)
        : entry.name.endsWith(".ts")
        ? [folder + entry.name]
        : []
    );
  const parsers = ["app/", "bench/", "tests/"].flatMap(files).filter((file) =>
    !file.endsWith("_test.ts") &&
    /\bparseArgs\(|\bDeno\.args\.(indexOf|includes)\(|\bUSAGE = `/.test(
      Deno.readTextFileSync(new URL(file, root)),
    )
  );
  deepEqual(parsers, ["app/cli/options.ts"]);
});
