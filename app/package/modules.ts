import { transform } from "esbuild";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CulvertError } from "../../ffi/error.ts";

/** The clone's folder. */
export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));

/** Folders of app/ that the package does not need. */
const LEFT_OUT = ["app/demo/", "app/package/", "app/metrics/page/"];

/** Text that differs between the package and a clone, by the file that has it. */
const CHANGES: Readonly<Record<string, readonly (readonly [found: string, wanted: string])[]>> = {
  "app/metrics/page_file.ts": [
    ['"../../.cache/page/index.html"', '"../../page/index.html"'],
    ["deno task page", "install culvert-net again"],
  ],
  "ffi/shim.ts": [
    ['"../.cache/shim/libculvert.so"', "`../lib/${Deno.build.arch}/libculvert.so`"],
    ["\\`deno task shim\\`", "\\`culvert build-shim\\`"],
    ["\\`deno task\\`", "\\`culvert\\`"],
  ],
};

/** How esbuild writes a module: small, but with all names, which stack traces show. */
const SMALL = {
  loader: "ts",
  format: "esm",
  target: "esnext",
  minifyWhitespace: true,
  minifySyntax: true,
} as const;

/** A string that names a module of ours: a path relative to its file, or a name in a folder. */
const MODULE = /"(\.{1,2}\/[^"\n]*|\w+)\.ts"/g;

/** In types: the path of a module that they need. */
const NEEDED = /^(?:import|export) [^"]*"(\.[^"]*)\.js";$/gm;

/** In a comment of types: the line that imports the library from where it lies in a clone. */
const LIBRARY = /(\* .*\bfrom )"[./]*\/(api|function|testing)\.ts"/g;

/** The same line, with the name by which users import the library. */
function libraryLine(_line: string, start: string, module: string): string {
  return `${start}"culvert-net${module === "api" ? "" : `/${module}`}"`;
}

/** The TypeScript files below `folder`, sorted. */
function sourcesIn(folder: string): string[] {
  return [...Deno.readDirSync(ROOT + folder)].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return sourcesIn(`${folder}${name}/`);
    return name.endsWith(".ts") ? [folder + name] : [];
  }).sort().filter((file) => !LEFT_OUT.some((prefix) => file.startsWith(prefix)));
}

/**
 * Each module of the program as JavaScript, one file for one: Workers, functions and the guest app
 * of a VM are found by their paths, as in a clone.
 *
 * @param to The folder that gets them.
 */
export async function writeModules(to: string): Promise<void> {
  for (const file of [...sourcesIn("app/"), ...sourcesIn("ffi/"), ...sourcesIn("shim/")]) {
    let text = await Deno.readTextFile(ROOT + file);
    for (const [found, wanted] of CHANGES[file] ?? []) {
      if (!text.includes(found)) {
        throw new CulvertError(`Cannot package ${file} as it does not contain ${found}`);
      }
      text = text.replaceAll(found, wanted);
    }
    const { code } = await transform(text, SMALL);
    await write(`${to}/${file.replace(/\.ts$/, ".js")}`, code.replaceAll(MODULE, '"$1.js"'));
  }
}

/**
 * The types of the library, as `deno transpile --declaration` makes them: for the entries, and for
 * each module whose types these need.
 *
 * @param entries Modules that users import.
 * @param to The folder that gets them.
 */
export async function writeTypes(entries: readonly string[], to: string): Promise<void> {
  const scratch = await Deno.makeTempDir({ prefix: "culvert-package-" });
  try {
    const args = ["transpile", "--quiet", "--declaration", "--outdir", scratch, ...entries];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT })
      .output();
    if (!success) {
      throw new CulvertError(`Cannot make types as Deno says: ${new TextDecoder().decode(stderr)}`);
    }
    const written = new Set<string>();
    const writeWithNeeded = async (module: string) => {
      if (written.has(module)) return;
      written.add(module);
      const text = (await Deno.readTextFile(`${scratch}/${module}.d.ts`))
        .replace(/^\/\/\/ <amd-module .*\n/, "")
        .replaceAll(LIBRARY, libraryLine)
        .replaceAll(MODULE, '"$1.js"');
      await write(`${to}/${module}.d.ts`, text);
      for (const [, path] of text.matchAll(NEEDED)) {
        await writeWithNeeded(join(dirname(module), path));
      }
    };
    for (const entry of entries) await writeWithNeeded(entry.replace(/\.ts$/, ""));
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

/** Write a file, with the folders above it. */
export async function write(path: string, text: string): Promise<void> {
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  await Deno.writeTextFile(path, text);
}
