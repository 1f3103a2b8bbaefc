import { deepEqual, throws } from "node:assert/strict";
import { userImports } from "../../app/guest/function/user_imports.ts";

/** What a file `src/deep/my.ts` of a project with these files imports by name. */
function importsIn(files: Record<string, string>): Record<string, string> {
  const folder = Deno.makeTempDirSync({ dir: "/tmp" });
  try {
    Deno.mkdirSync(`${folder}/src/deep`, { recursive: true });
    for (const [name, text] of Object.entries(files)) {
      Deno.writeTextFileSync(`${folder}/${name}`, text);
    }
    const found = Object.entries(userImports(`${folder}/src/deep/my.ts`));
    return Object.fromEntries(found.map(([name, to]) => [name, to.replace(folder, "")]));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("userImports() is the import map of the nearest deno.json, its paths as URLs", () => {
  const imports = { "@lib/": "./lib/", x: "../x.ts", v: "npm:valibot@1", y: "https://a.test/y.ts" };
  deepEqual(
    importsIn({
      "deno.json": JSON.stringify({ imports: { far: "./far.ts" } }),
      "src/deno.json": JSON.stringify({ imports }),
    }),
    {
      "@lib/": "file:///src/lib/",
      x: "file:///x.ts",
      v: "npm:valibot@1",
      y: "https://a.test/y.ts",
    },
  );
});

Deno.test("userImports() reads deno.jsonc with comments, and an import map of its own file", () => {
  const config = `{ // "imports": {}
    /* "x" */ "importMap": "./src/map.json", "name": "a // b", }`;
  deepEqual(
    importsIn({ "deno.jsonc": config, "src/map.json": '{ "imports": { "a": "./a.ts", }, }' }),
    {
      a: "file:///src/a.ts",
    },
  );
});

Deno.test("userImports() is empty without a configuration, or one that maps nothing", () => {
  deepEqual(importsIn({}), {});
  deepEqual(importsIn({ "deno.json": "{}" }), {});
  throws(() => importsIn({ "deno.json": "{" }), SyntaxError);
});
