import { equal, ok } from "node:assert/strict";
import { fileURLToPath } from "node:url";

// What a user of app/api.ts can reach of rings and mempools: each class and function has an
// example, which tests/doc_examples_test.ts runs, and each method and value is in an example or in
// a test.

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FOLDERS = /\/app\/(ring|mempool)\/\w+\.ts$/;

/** Some of what `deno doc --json` tells. */
interface Documented {
  readonly jsDoc?: { readonly tags?: readonly { readonly kind: string; readonly doc?: string }[] };
}

interface Member extends Documented {
  readonly name: string;
  /** Of methods: `method`, `getter` or `setter`. */
  readonly kind?: string;
  readonly accessibility?: string;
  /** What the class that it extends says of it holds. */
  readonly isOverride?: boolean;
}

interface Declaration extends Documented {
  readonly kind: string;
  readonly location: { readonly filename: string };
  readonly def: { readonly methods?: readonly Member[]; readonly properties?: readonly Member[] };
}

interface Exported {
  readonly name: string;
  readonly declarations: readonly Declaration[];
}

/** What app/api.ts exports of rings and mempools. */
async function exported(): Promise<Exported[]> {
  const args = ["doc", "--json", "app/api.ts"];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT }).output();
  const { nodes } = JSON.parse(new TextDecoder().decode(stdout));
  const [{ symbols }] = Object.values<{ symbols: Exported[] }>(nodes);
  return symbols.filter(({ declarations: [first] }) => FOLDERS.test(first.location.filename));
}

function examplesOf({ jsDoc }: Documented): string[] {
  return (jsDoc?.tags ?? []).flatMap(({ kind, doc }) => {
    return kind === "example" && /```ts\n[^]*console\.assert\(/.test(doc ?? "") ? [doc!] : [];
  });
}

/** A class's methods, getters and public fields. */
function members(
  { name, declarations: [{ kind, def }] }: Exported,
): [name: string, word: string][] {
  if (kind !== "class") return [];
  return [...(def.methods ?? []), ...(def.properties ?? [])]
    .filter((member) => member.accessibility === undefined && !member.isOverride)
    .map((member) => [`${name}.${member.name}`, member.name]);
}

/** All tests of rings and mempools, as text. */
function testsText(): string {
  const folders = ["ring", "mempool", "toolkit"].map((folder) => `${ROOT}tests/${folder}`);
  return folders.flatMap((folder) =>
    [...Deno.readDirSync(folder)].map(({ name }) => Deno.readTextFileSync(`${folder}/${name}`))
  ).join("\n");
}

const all = await exported();

Deno.test("each class and function of rings and mempools has an example", () => {
  const found = all.filter(({ declarations: [{ kind }] }) =>
    kind === "class" || kind === "function"
  );
  ok(found.length > 8, `only ${found.length} were found`);
  const without = found.filter(({ declarations }) => declarations.flatMap(examplesOf).length === 0);
  equal(without.map(({ name }) => name).join(", "), "");
});

Deno.test("each method and value of rings and mempools is in an example or a test", () => {
  const texts =
    all.flatMap(({ declarations }) =>
      declarations.flatMap(({ def, ...rest }) =>
        [rest, ...(def.methods ?? [])].flatMap((documented) => examplesOf(documented))
      )
    ).join("\n") + testsText();
  const found = all.flatMap(members);
  ok(found.length > 80, `only ${found.length} were found`);
  const without = found.filter(([, word]) => !new RegExp(`\\b${word}\\b`).test(texts));
  equal(without.map(([name]) => name).join(", "), "");
});
