import { match, rejects } from "node:assert/strict";
import { bundleGuestApp } from "../../app/vm/bundle.ts";

/** Bundles `main.ts` of a directory with these files. */
async function bundle(files: Record<string, string>): Promise<string> {
  const directory = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${directory}/${name}`, text);
    }
    return new TextDecoder().decode(await bundleGuestApp(`${directory}/main.ts`));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("bundleGuestApp() puts static and dynamic imports into one file", async () => {
  const bundled = await bundle({
    "main.ts": 'import { one } from "./one.ts"; console.log(one, await import("./two.ts"));',
    "one.ts": 'export const one: string = "first";',
    "two.ts": 'import "node:os"; export const two = "second";',
  });
  match(bundled, /first/);
  match(bundled, /second/);
  match(bundled, /"node:os"/);
});

Deno.test("bundleGuestApp() expects the shim beside the app", async () => {
  const bundled = await bundle({
    "main.ts": 'console.log(new URL("../.cache/shim/libculvert.so", import.meta.url));',
  });
  match(bundled, /new URL\("\.\/libculvert\.so", import\.meta\.url\)/);
});

Deno.test("bundleGuestApp() lets import.meta.main be true in the entry alone", async () => {
  const bundled = await bundle({
    "main.ts": 'import "./tool.ts"; if (import.meta.main) console.log("entry");',
    "tool.ts": 'if (import.meta.main) console.log("imported");',
  });
  match(bundled, /if \(import\.meta\.main\) console\.log\("entry"\)/);
  match(bundled, /if \(false\) console\.log\("imported"\)/);
});

Deno.test("bundleGuestApp() names the file that it cannot find", async () => {
  await rejects(bundleGuestApp("/nowhere/main.ts"), /\/nowhere\/main\.ts as it does not exist/);
  await rejects(bundle({ "main.ts": 'import "./lost.ts";' }), /\.\/lost\.ts/);
});
