import { deepEqual, ok } from "node:assert/strict";
import { SOURCES as C_SOURCES } from "../shim/build.ts";
import {
  exportsOf,
  importsOf,
  readSource,
  resolve,
  sourcesIn,
  urlsOf,
  withoutComments,
  withoutLiterals,
} from "./source_files.ts";
import { FOR_TESTS, LONG_FILES } from "./tidy_allowances.ts";

// What nobody uses, and lines and words that we do not want, fail here. The model is TigerBeetle's
// src/tidy.zig.

const FOLDERS = ["app/", "bench/", "ffi/", "shim/", "tests/"];

/** All sources in TypeScript, by path. */
const SOURCES: ReadonlyMap<string, string> = new Map(
  FOLDERS.flatMap((folder) => sourcesIn(folder)).map((file) => [file, readSource(file)]),
);

/** All that we write, by path. */
const TEXTS: ReadonlyMap<string, string> = new Map(
  FOLDERS.flatMap((folder) => sourcesIn(folder, [".ts", ".c", ".h", ".py", ".pml", ".md"]))
    .concat("README.md", "deno.json", ".ci/run").map((file) => [file, readSource(file)]),
);

/** This file names the words that no other may have. */
const SELF = "tests/tidy_test.ts";

/** Assert that nothing was found, or show all of it: `deepEqual()` shows only a part. */
function none(found: readonly string[]): void {
  ok(found.length === 0, ["found:", ...found].join("\n"));
}

/** What is in `items` but not in `allowed`; and allowances that nothing needs any more. */
function unlessAllowed(items: readonly string[], allowed: readonly string[]): string[] {
  const unused = allowed.filter((item) => !items.includes(item));
  return [
    ...items.filter((item) => !allowed.includes(item)),
    ...unused.map((item) => `no longer needed in tidy_allowances.ts: ${item}`),
  ];
}

// Exports.

/** Whether a file is a function: a guest finds it by its name or path, and knows its exports. */
const isFunction = (file: string) => /^app\/guest\/(functions|examples)\//.test(file);

const isTest = (file: string) => file.startsWith("tests/");

/** Whether `code` has the word `name`. */
const has = (code: string, name: string) => new RegExp(`\\b${name}\\b`).test(code);

/** Of each export that another file imports, `file name`, the files that do so. */
function importers(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [file, text] of SOURCES) {
    for (const { specifier, names } of importsOf(text)) {
      const target = resolve(file, specifier);
      if (!SOURCES.has(target)) continue;
      const all = () => exportsOf(SOURCES.get(target)!).map(({ name }) => name);
      for (const name of names ?? all().filter((name) => has(withoutComments(text), name))) {
        const key = `${target} ${name}`;
        found.set(key, [...found.get(key) ?? [], file]);
      }
    }
  }
  return found;
}

/** Exports of app/ and ffi/ that no other file uses, `file name`; and those that only tests do. */
function unusedExports(): { byAny: string[]; byPrograms: string[] } {
  const users = importers();
  const byAny: string[] = [], byPrograms: string[] = [];
  for (const [file, text] of SOURCES) {
    if (!/^(app|ffi)\//.test(file) || isFunction(file)) continue;
    const exported = exportsOf(text);
    for (const { name, isType } of exported) {
      // `deno doc --lint` wants a type to be exported if what is exported mentions it.
      const isMentioned = isType &&
        exported.some((other) => other.name !== name && has(other.code, name));
      const importing = users.get(`${file} ${name}`) ?? [];
      if (isMentioned || importing.some((user) => !isTest(user))) continue;
      (importing.length > 0 ? byPrograms : byAny).push(`${file} ${name}`);
    }
  }
  return { byAny, byPrograms };
}

Deno.test("tidy: each export of app/ and ffi/ is used in another file", () => {
  none(unusedExports().byAny);
});

Deno.test("tidy: no export of app/ and ffi/ is there for tests alone, but those that are listed", () => {
  none(unlessAllowed(unusedExports().byPrograms, Object.values(FOR_TESTS).flat()));
});

// Files.

/** The files that are reached from `roots`, themselves included. */
function reachedFrom(roots: readonly string[]): Set<string> {
  const reached = new Set<string>();
  const visit = (file: string) => {
    const text = SOURCES.get(file);
    if (text === undefined || reached.has(file)) return;
    reached.add(file);
    const names = [...importsOf(text).map(({ specifier }) => specifier), ...urlsOf(text)];
    for (const name of names) visit(resolve(file, name));
  };
  roots.forEach(visit);
  return reached;
}

/** Programs, the library, tests and what deno.json runs. */
function roots(): string[] {
  const tasks = readSource("deno.json");
  return [...SOURCES.keys()].filter((file) => /_test\.ts$/.test(file) || tasks.includes(` ${file}`))
    .concat("app/api.ts", "app/function.ts", "app/main.ts", "app/testing.ts", "app/vm_guest.ts")
    .concat([...SOURCES.keys()].filter(isFunction));
}

Deno.test("tidy: a program, the library, a test or a task reaches each source", () => {
  const reached = reachedFrom(roots());
  none([...SOURCES.keys()].filter((file) => !reached.has(file)));
});

Deno.test("tidy: a source names each file of another kind", () => {
  const code = [...SOURCES.values()].map(withoutComments).join("\n");
  const stem = (file: string) => file.replace(/^.*\//, "").replace(/\.\w+$/, "");
  const others = [...TEXTS.keys()].filter((file) => /\.(py|pml|c)$/.test(file))
    .filter((file) => !file.startsWith("shim/")); // the test below looks at these
  const includes = [...TEXTS].filter(([file]) => /\.(pml|c|h)$/.test(file)).map(([, text]) => text);
  none(
    others.filter((file) =>
      !has(code, stem(file)) &&
      !includes.some((text) => text.includes(`"${file.replace(/^.*\//, "")}"`))
    ),
  );
});

Deno.test("tidy: shim/build.ts compiles each C file of shim/", () => {
  const files = [...TEXTS.keys()].filter((file) => /^shim\/.*\.c$/.test(file));
  deepEqual(files.sort(), C_SOURCES.map((name) => `shim/${name}`).sort());
});

Deno.test("tidy: a URL becomes a path by fileURLToPath(), as .pathname keeps %20 for a space", () => {
  none(
    [...SOURCES].filter(([file]) => file !== SELF)
      .filter(([, text]) => /\.pathname\b/.test(withoutComments(text))).map(([file]) => file),
  );
});

Deno.test("tidy: no duration is told by a clock that may be set", () => {
  const clocks = /\bDate\.now\(|\bCLOCK_REALTIME\b/;
  const found = [...TEXTS].filter(([file, text]) =>
    /^(app|ffi|shim)\/.*\.(ts|c)$/.test(file) && clocks.test(withoutComments(text))
  );
  deepEqual(found.map(([file]) => file), ["shim/record.c"], "which stamps captured frames");
});

// Lines.

const COLUMNS = 100;

/** The numbers of the lines that are too long, strings and regular expressions not counted. */
function longLines(text: string): number[] {
  return withoutLiterals(text).split("\n").flatMap((line, i) =>
    line.length > COLUMNS && !/https?:\/\//.test(line) ? [i + 1] : []
  );
}

/** The titles of tests that are too long. */
function longTitles(text: string): string[] {
  return [...text.matchAll(/\bDeno\.test\((["`])((?:\\.|(?!\1)[^\\])*)\1/g)]
    .map(([, , title]) => title).filter((title) => title.length > COLUMNS);
}

Deno.test(`tidy: no line of code or comment is longer than ${COLUMNS} columns`, () => {
  const found = [...TEXTS].filter(([file]) => /\.(ts|c|h|pml)$/.test(file))
    .flatMap(([file, text]) => [
      ...longLines(text).map((line) => `${file}:${line}`),
      ...longTitles(text).map((title) => `${file}: ${title}`),
    ]);
  none(found);
});

Deno.test("tidy: longLines() counts code and comments, not what is in strings", () => {
  const long = "x".repeat(COLUMNS - 10);
  const text = [
    `const fits = "${long}${long}", also = /${long}${long}/;`,
    `call("${long}"); // ${long}`,
    `const template = \`${long}${long}`,
    `${long}${long}\`, ${long} = ${long};`,
    "/**",
    ` * https://example.org/${long}`,
    ` * it's a comment, "${long}"`,
    " */",
    `call('"'); // " ${long}`,
  ].join("\n");
  deepEqual(longLines(text), [2, 4, 7, 9]);
});

const LINES = 300;

Deno.test(`tidy: no file has more than ${LINES} lines, but those that are listed`, () => {
  const long = [...TEXTS].filter(([, text]) => text.split("\n").length - 1 > LINES)
    .map(([file]) => file);
  none(unlessAllowed(long, Object.values(LONG_FILES).flat()));
});

// Words.

/** Words that say what another word of our glossary says, and marks of what is unfinished. */
const UNWANTED: readonly RegExp[] = [
  /\b(TODO|FIXME|XXX)\b/,
  /limbo|farewell|besieg|rejoin|own_file|holdings/i,
  /(?<![a-z])(conduct|siege|temper|crew|deed|mood)s?(?![a-z])/i,
  /\b(newBurst|IndexBurst|isRung|discardBurst)\b/,
  /\/work\//,
  /\bissue #?\d|\bregistry\./i,
];

/** `file:line: word` for each word that no file may have. */
function unwantedWords(file: string, text: string): string[] {
  return text.split("\n").flatMap((line, i) =>
    UNWANTED.flatMap((word) => {
      const found = word.exec(line)?.[0];
      return found === undefined ? [] : [`${file}:${i + 1}: ${found}`];
    })
  );
}

Deno.test("tidy: no file has a word that the glossary has another one for, or that marks unfinished work", () => {
  none(
    [...TEXTS].filter(([file]) => file !== SELF)
      .flatMap(([file, text]) => [...unwantedWords(file, file), ...unwantedWords(file, text)]),
  );
});
