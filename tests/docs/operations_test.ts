import { equal, ok } from "node:assert/strict";
import { fileURLToPath } from "node:url";

// Each operation on rings and mempools that a user of app/api.ts can reach has an example of its own;
// tests/doc_examples_test.ts runs them. Getters and fields appear in some example of their file.

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

/** Functions, and classes' methods, with what documents them: overloads share an example. */
function operations({ name, declarations }: Exported): [name: string, docs: Documented[]][] {
  const [{ kind, def }] = declarations;
  if (kind === "function") return [[`${name}()`, [...declarations]]];
  if (kind !== "class") return [];
  const methods = (def.methods ?? []).filter((method) =>
    method.kind === "method" && method.accessibility === undefined && !method.isOverride
  );
  return [
    [`new ${name}()`, [...declarations]],
    ...methods.map((method): [string, Documented[]] => [`${name}.${method.name}()`, [method]]),
  ];
}

/** Classes' getters and public fields. */
function values({ name, declarations: [{ kind, def }] }: Exported): [name: string, word: string][] {
  if (kind !== "class") return [];
  const getters = (def.methods ?? []).filter((member) => member.kind === "getter");
  return [...getters, ...(def.properties ?? [])]
    .filter((member) => member.accessibility === undefined && !member.isOverride)
    .map((member) => [`${name}.${member.name}`, member.name]);
}

const all = await exported();

Deno.test("each operation on rings and mempools has an example of its own", () => {
  const found = all.flatMap(operations);
  ok(found.length > 80, `only ${found.length} operations were found`);
  const without = found.filter(([, docs]) => docs.flatMap(examplesOf).length === 0);
  equal(without.map(([name]) => name).join(", "), "");
});

Deno.test("each value that rings and mempools tell is in an example", () => {
  const texts = all.flatMap(({ declarations }) =>
    declarations.flatMap(({ def, ...rest }) =>
      [rest, ...(def.methods ?? [])].flatMap((documented) => examplesOf(documented))
    )
  ).join("\n");
  const found = all.flatMap(values);
  ok(found.length > 40, `only ${found.length} values were found`);
  const without = found.filter(([, word]) => !new RegExp(`\\b${word}\\b`).test(texts));
  equal(without.map(([name]) => name).join(", "), "");
});
