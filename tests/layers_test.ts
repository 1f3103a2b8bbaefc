import { deepEqual, equal, ok } from "node:assert/strict";
import {
  importsOf,
  readSource,
  resolve,
  sourcesIn,
  urlsOf,
  withoutComments,
} from "./source_files.ts";

/**
 * The folders of app/, low to high: a file imports from its own folder and from lower layers.
 * Folders of one layer never import each other. Above them all are the files of app/ itself: the
 * command line.
 */
const LAYERS = [
  ["linux", "memory"],
  ["capture", "ivshmem"],
  ["region"],
  ["ring"],
  ["mempool"],
  ["channel"],
  ["port"],
  ["lcore"],
  ["host", "guest", "toolkit", "gen"],
  ["vm", "inspect"],
  ["top", "metrics", "doctor"],
  ["cli"],
  ["demo", "package"],
];
const TOP = "";

/** Files of app/ itself that show the outside what a folder has: as the folder's own. */
const FACES: Readonly<Record<string, string>> = {
  "app/function.ts": "guest",
  "app/testing.ts": "guest",
};

/** What a source imports, re-exports, or loads by `import()`: the specifiers as it writes them. */
function specifiersOf(text: string): string[] {
  return importsOf(text).map(({ specifier }) => specifier);
}

/** Of each file the files of the project that it imports. */
const imports = new Map(
  [...sourcesIn("ffi/"), ...sourcesIn("app/"), ...sourcesIn("shim/")].map((file) => {
    const text = readSource(file);
    const local = specifiersOf(text).filter((name) => name.startsWith("."));
    return [file, [...local, ...urlsOf(text)].map((name) => resolve(file, name))];
  }),
);

/** The folder of app/ that a file is in: `TOP` for app/main.ts. */
function folderOf(file: string): string {
  return FACES[file] ?? (file.split("/").length === 2 ? TOP : file.split("/")[1]);
}

/** 0 for the lowest. */
function heightOf(folder: string): number {
  return folder === TOP ? LAYERS.length : LAYERS.findIndex((layer) => layer.includes(folder));
}

/** Whether a file of app/ may import another. */
function isDownwards(from: string, to: string): boolean {
  const [here, there] = [folderOf(from), folderOf(to)];
  return here === there || heightOf(there) < heightOf(here);
}

/** `from -> to` for each import from a file of `source` that is not allowed. */
function offences(source: string, isAllowed: (from: string, to: string) => boolean): string[] {
  return [...imports].filter(([file]) => file.startsWith(source)).flatMap(([from, targets]) =>
    targets.filter((to) => !isAllowed(from, to)).map((to) => `${from} -> ${to}`)
  );
}

Deno.test("each folder of app/ has its place among the layers", () => {
  const folders = new Set(
    [...imports.keys()].filter((file) => file.startsWith("app/")).map(folderOf),
  );
  const lost = [...folders].filter((folder) => heightOf(folder) < 0);
  deepEqual(
    lost,
    [],
    "put the folder into LAYERS in tests/layers_test.ts, and say why it is there",
  );
});

Deno.test("app/ imports downwards only: host/ and guest/ never each other", () => {
  deepEqual(offences("app/", (from, to) => !to.startsWith("app/") || isDownwards(from, to)), []);
});

Deno.test("app/ imports from app/ and ffi/ alone", () => {
  deepEqual(offences("app/", (_, to) => to.startsWith("app/") || to.startsWith("ffi/")), []);
});

Deno.test("ffi/ imports from ffi/ alone", () => {
  deepEqual(offences("ffi/", (_, to) => to.startsWith("ffi/")), []);
});

Deno.test("shim/ imports nothing of the project", () => {
  deepEqual(offences("shim/", () => false), []);
});

Deno.test("Deno.dlopen is known to ffi/ alone", () => {
  const users = [...imports.keys()].filter((file) =>
    withoutComments(readSource(file)).includes("dlopen")
  );
  deepEqual(users, ["ffi/shim.ts"]);
});

Deno.test("what is imported is there", () => {
  deepEqual(offences("", (_, to) => !to.endsWith(".ts") || imports.has(to)), []);
});

Deno.test("no file imports itself, not even by way of others", () => {
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, way: string[]) => {
    if (way.includes(file)) cycles.push([...way.slice(way.indexOf(file)), file].join(" -> "));
    if (way.includes(file) || done.has(file)) return;
    for (const target of imports.get(file) ?? []) visit(target, [...way, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  deepEqual(cycles, []);
});

// The tests above show nothing if the parser sees nothing.

Deno.test("layers: the parser finds every way to import, and no comment's", () => {
  const text = `
/**
 * \`\`\`ts import { a } from "./comment.ts"; \`\`\`
 */
import { b } from "./b.ts"; // import { c } from "./comment.ts";
import type { D } from './d.ts';
import {
  e,
  type F,
} from "./e.ts";
import "./g.ts";
import h, * as i from "./h.ts";
export * from "./j.ts";
export { k } from "./k.ts";
const url = "https://example.org/*"; const l = await import("./l.ts"); /* */
export const m = "from './m.ts'";
new Worker(new URL("./n_worker.ts", import.meta.url), { type: "module" });
`;
  const found = ["b", "d", "e", "h", "j", "k", "g", "l"].map((name) => `./${name}.ts`);
  deepEqual(specifiersOf(text), found);
  deepEqual(importsOf(text).map(({ names }) => names), [
    ...[["b"], ["D"], ["e", "F"], undefined, undefined, ["k"]],
    ...[undefined, undefined],
  ]);
  deepEqual(urlsOf(text), ["./n_worker.ts"]);
});

Deno.test("layers: the order is what this file says", () => {
  ok(isDownwards("app/main.ts", "app/vm/qemu.ts"));
  ok(isDownwards("app/vm/qemu.ts", "app/guest/forward.ts"));
  ok(isDownwards("app/guest/functions/mod.ts", "app/guest/forward.ts"));
  ok(!isDownwards("app/guest/forward.ts", "app/host/forward.ts"));
  ok(!isDownwards("app/host/forward.ts", "app/guest/forward.ts"));
  ok(!isDownwards("app/ring/spsc_ring.ts", "app/channel/channel.ts"));
  ok(!isDownwards("app/vm/qemu.ts", "app/main.ts"));
  equal(imports.get("app/ring/spsc_ring.ts")?.includes("app/memory/layout.ts"), true);
});
