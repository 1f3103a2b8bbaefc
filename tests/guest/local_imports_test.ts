import { deepEqual } from "node:assert/strict";
import { basename } from "node:path";
import { filesOf } from "../../app/guest/function/local_imports.ts";

Deno.test("filesOf() finds what a function imports of files beside it, and what these import", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const write = (name: string, text: string) => Deno.writeTextFileSync(`${folder}/${name}`, text);
    Deno.mkdirSync(`${folder}/lib`);
    write("my.ts", 'import { a } from "./a.ts";\nimport "./b.js";\nimport v from "valibot";');
    write("a.ts", 'import {\n  c,\n} from "./lib/c.ts";\nexport * from "./my.ts";');
    write("b.js", 'const d = await import("./d.ts"); import rules from "./rules.json";');
    write("rules.json", '{ "text": "from \\"./e.ts\\"" }');
    write("lib/c.ts", 'import type { T } from "../lost.ts";');
    write("f.ts", "");
    deepEqual(
      [...filesOf(`${folder}/my.ts`)].map((path) => basename(path)).sort(),
      ["a.ts", "b.js", "c.ts", "d.ts", "lost.ts", "my.ts", "rules.json"],
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
