import { deepEqual, equal, ok } from "node:assert/strict";
import { SHIM_ABI, SYMBOLS } from "../../ffi/symbols.ts";
import { shim } from "../../ffi/shim.ts";

const SHIM = new URL("../../shim/", import.meta.url);
const sources = [...Deno.readDirSync(SHIM)].map((entry) => entry.name)
  .filter((name) => /\.[ch]$/.test(name))
  .map((name) => ({ name, text: Deno.readTextFileSync(new URL(name, SHIM)) }));
const table = Deno.readTextFileSync(new URL("../../ffi/symbols.ts", import.meta.url));

/** Name -> prototype, on one line, of every function that the C sources export. */
const prototypes = new Map(
  sources.flatMap(({ text }) => [...text.matchAll(/^SHIM_API\s+([^;{]+?)\s*\{/gm)])
    .map(([, prototype]) => prototype.replace(/\s+/g, " "))
    .map((prototype) => [/(\w+)\(/.exec(prototype)![1], prototype]),
);

const WIDTHS: Record<string, string> = {
  void: "void",
  int32_t: "i32",
  uint32_t: "u32",
  int64_t: "i64",
  uint64_t: "u64",
  double: "f64",
};

/** How Deno names the C type in front of a parameter's or function's name. */
function widthOf(declaration: string): string {
  return declaration.includes("*") ? "buffer" : WIDTHS[declaration.trim().split(" ")[0]];
}

Deno.test("SYMBOLS names just the functions that the shim exports", () => {
  ok(prototypes.size > 30, `only ${prototypes.size} prototypes found`);
  deepEqual(Object.keys(SYMBOLS).sort(), [...prototypes.keys()].sort());
});

Deno.test("SYMBOLS has the C prototype above each entry", () => {
  const comments = [...table.matchAll(/((?:\/\/ .*\n\s+)+)(\w+): \{\s*parameters/g)];
  equal(comments.length, prototypes.size);
  for (const [, comment, name] of comments) {
    equal(comment.replaceAll(/\s*\/\/\s*|\s+$/g, " ").trim(), prototypes.get(name), name);
  }
});

Deno.test("SYMBOLS has the widths of the C prototypes", () => {
  for (const [name, { parameters, result }] of Object.entries(SYMBOLS)) {
    const [, returned, list] = /^(.*?)\w+\((.*)\)$/.exec(prototypes.get(name)!)!;
    equal(result, widthOf(returned), `result of ${name}`);
    const wanted = list === "void" ? [] : list.split(",").map(widthOf);
    deepEqual([...parameters], wanted, `parameters of ${name}`);
  }
});

/** Functions that hostile.c does not call, by what they would do. */
const NOT_HOSTILE: Readonly<Record<string, readonly string[]>> = {
  "change who the program is, or how it is scheduled": ["privileges_drop", "thread_share"],
  "start and end processes (keeper.c)": ["start", "has_ended", "stop", "serve"]
    .map((call) => `keeper_${call}`),
  "change files of others": ["fd_give", "path_give", "path_remove"],
  "change interfaces and sockets, and pass on what they are given": [
    ...["open", "bind", "set", "send"].map((call) => `socket_${call}`),
    ...["open", "open_apart", "kick"].map((call) => `xdp_${call}`),
  ],
  "read files of the C library's": ["user_find", "group_find", "privileges_get"],
};

Deno.test("tests/litmus/hostile.c calls each function of the shim, but those that are told why", () => {
  const litmus = new URL("../litmus/", import.meta.url);
  const text = ["hostile.c", "hostile_arguments.h"]
    .map((name) => Deno.readTextFileSync(new URL(name, litmus))).join();
  const notCalled = Object.keys(SYMBOLS).filter((name) => !text.includes(`${name}(`));
  const told = Object.values(NOT_HOSTILE).flat().map((name) => `shim_${name}`);
  deepEqual(notCalled.sort(), told.sort());
});

Deno.test("SHIM_ABI is the same in C, in TypeScript and in the library", () => {
  const header = sources.find(({ name }) => name === "shim.h")!.text;
  equal(Number(/#define SHIM_ABI (\d+)/.exec(header)![1]), SHIM_ABI);
  equal(shim.shim_abi(), SHIM_ABI);
});

Deno.test("the shim has less than 2300 lines", () => {
  const lines = sources.map(({ text }) => text.split("\n").length - 1);
  const total = lines.reduce((sum, n) => sum + n, 0);
  ok(total < 2300, `it has ${total}: ${sources.map(({ name }, i) => `${name} ${lines[i]}`)}`);
});
