import { ok } from "node:assert/strict";

// `deno test --doc` checks the types of the examples in our documentation. But they assert by
// console.assert(), which only prints, so that it would never fail: here an assertion that is false throws.

const ROOT = new URL("../", import.meta.url);

/** All TypeScript files below `folder`. */
function sourcesIn(folder: URL): URL[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return sourcesIn(new URL(`${name}/`, folder));
    return name.endsWith(".ts") ? [new URL(name, folder)] : [];
  });
}

/** The examples in a source: what is fenced as `ts` in a comment. */
function examplesIn(source: URL): { line: number; code: string }[] {
  const text = Deno.readTextFileSync(source);
  return [...text.matchAll(/^ *\* ```ts\n((?: *\*.*\n)*?) *\* ```$/gm)].map((
    { 1: lines, index },
  ) => ({
    line: text.slice(0, index).split("\n").length,
    code: lines.replaceAll(/^ *\* ?/gm, ""),
  }));
}

/** The example as a module of its own, its imports made absolute. */
function moduleOf(source: URL, code: string): string {
  const absolute = code.replaceAll(/(\bfrom |\bimport\()"(\.[^"]*)"/g, (_, before, path) => {
    return `${before}"${new URL(path, source)}"`;
  });
  return "data:application/typescript," + encodeURIComponent(absolute);
}

let count = 0;
for (const source of ["app/", "ffi/"].flatMap((folder) => sourcesIn(new URL(folder, ROOT)))) {
  for (const { line, code } of examplesIn(source)) {
    count++;
    Deno.test(`example at ${source.href.slice(ROOT.href.length)}:${line} holds what it asserts`, async () => {
      const { assert } = console;
      console.assert = (isTrue, ...rest) => ok(isTrue, rest.join(" ") || "an assertion is false");
      try {
        await import(moduleOf(source, code));
      } finally {
        console.assert = assert;
      }
    });
  }
}

Deno.test("there are examples to be tested", () => {
  ok(count >= 4, `only ${count} were found`);
});
