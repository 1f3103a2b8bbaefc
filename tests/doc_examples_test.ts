import { ok } from "node:assert/strict";
import { MappedMemory } from "../ffi/mapped_memory.ts";
import { shim } from "../ffi/shim.ts";
import { readSource, ROOT, sourcesIn } from "./source_files.ts";

// `deno test --doc` checks the types of the examples in our documentation. But they assert by
// console.assert(), which only prints: here an assertion that is false throws.

/** The examples in a source: what is fenced as `ts` in a comment. */
function examplesIn(source: string): { line: number; code: string }[] {
  const text = readSource(source);
  return [...text.matchAll(/^ *\* ```ts\n((?: *\*.*\n)*?) *\* ```$/gm)].map((
    { 1: lines, index },
  ) => ({
    line: text.slice(0, index).split("\n").length,
    code: lines.replaceAll(/^ *\* ?/gm, ""),
  }));
}

/** The example as a module of its own, its imports made absolute. */
function moduleOf(source: string, code: string): string {
  const absolute = code.replaceAll(/(\bfrom |\bimport\()"(\.[^"]*)"/g, (_, before, path) => {
    return `${before}"${new URL(path, new URL(source, ROOT))}"`;
  });
  return "data:application/typescript," + encodeURIComponent(absolute);
}

/**
 * Call `run` with assertions that throw, and unmap what it mapped: the shim has a limited number of
 * maps. Maps that bursts lie in stay, as the next example gets its bursts from there.
 */
async function alone(run: () => Promise<unknown>): Promise<void> {
  const { assert } = console;
  const { ofFile } = MappedMemory;
  const mapped: MappedMemory[] = [];
  console.assert = (isTrue, ...rest) => ok(isTrue, rest.join(" ") || "an assertion is false");
  MappedMemory.ofFile = (...where) => {
    const memory = ofFile(...where);
    if (!/\btakeWords\b/.test(new Error().stack ?? "")) mapped.push(memory);
    return memory;
  };
  try {
    await run();
  } finally {
    console.assert = assert;
    MappedMemory.ofFile = ofFile;
    for (const memory of mapped) shim.shim_unmap(memory.map); // the example may have done so
  }
}

let count = 0;
for (const source of ["app/", "ffi/"].flatMap((folder) => sourcesIn(folder))) {
  for (const { line, code } of examplesIn(source)) {
    count++;
    Deno.test(`example at ${source}:${line} holds what it asserts`, async () => {
      await alone(() => import(moduleOf(source, code)));
    });
  }
}

Deno.test("there are examples to be tested", () => {
  ok(count >= 4, `only ${count} were found`);
});
