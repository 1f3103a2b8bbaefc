/**
 * Bundles the guest app into one JavaScript file, and each function into another.
 *
 * @module
 */

import type { OnLoadArgs, OnLoadResult, Plugin } from "esbuild";
import { fileURLToPath } from "node:url";
import { CulvertError } from "../../ffi/error.ts";
import { userImports } from "../guest/function/user_imports.ts";

/** `new URL("../x.so", import.meta.url)`: how a module names the shim. */
const SHIM_URL = /new URL\(\s*["`][^"`]*\/([^"`/]+\.so)["`]\s*,\s*import\.meta\.url\s*,?\s*\)/g;

/** `new URL("../functions/", import.meta.url)`: how a module names the folder of functions. */
const FUNCTIONS_URL = /new URL\(\s*"[^"]*\/functions\/"\s*,\s*import\.meta\.url\s*,?\s*\)/g;

/** What a function imports by name, and where that is. */
const LIBRARY = {
  "culvert-net/function": fileURLToPath(new URL("../function.ts", import.meta.url)),
};

/**
 * Loaded only when an image is built. It must not stand in the `import()` itself: Deno would look
 * for it at every start of the program, in the network if it has no copy.
 */
const ESBUILD = "esbuild";

/** By this source map errors name lines of the sources; Deno wants each source to be a URL. */
const MAP = { sourcemap: "inline", sourcesContent: false, sourceRoot: "file:///" } as const;

/** Bundles under way: they share esbuild's process, and the last one ends it. */
let bundling = 0;

/**
 * Bundles `entry`: static and dynamic imports of local files are inlined, `node:` ones stay as they
 * are. A shared library that is named relative to a module is expected beside the bundle, and
 * `import.meta.main` is true in the entry only, as without a bundle.
 *
 * @param entry Path of the guest app's main module.
 * @returns JavaScript, an ES module.
 * @throws {CulvertError} If a module cannot be found or parsed, with file and line.
 */
export async function bundleGuestApp(entry: string): Promise<Uint8Array> {
  const main = await Deno.realPath(entry).catch(() => {
    throw new CulvertError(
      `Cannot bundle the guest app ${entry} as it does not exist: pass its main module`,
    );
  });
  const [app] = await bundle([main], `guest app ${entry}`);
  return app;
}

/**
 * Bundles functions: each file with all that it imports, `culvert-net/function` included. The stack
 * traces of their errors name lines of the sources.
 *
 * @param files Their paths.
 * @returns JavaScript, an ES module for each, in that order.
 * @throws {CulvertError} If a file cannot be found or parsed, with file and line.
 */
export async function bundleFunctions(files: readonly string[]): Promise<Uint8Array[]> {
  const paths = await Promise.all(files.map((file) =>
    Deno.realPath(file).catch(() => {
      throw new CulvertError(`Cannot bundle function ${file} as it does not exist: name its path`);
    })
  ));
  return await bundle(paths, "functions", MAP);
}

/** Bundle each entry into one file of its own. */
async function bundle(
  entries: readonly string[],
  what: string,
  map: typeof MAP | Record<never, never> = {},
): Promise<Uint8Array[]> {
  const esbuild: typeof import("esbuild") = await import(ESBUILD);
  bundling++;
  try {
    const result = await esbuild.build({
      entryPoints: entries.map((path, i) => ({ in: path, out: `${i}` })),
      outdir: "/",
      bundle: true,
      write: false,
      format: "esm",
      platform: "node",
      target: "esnext",
      external: ["node:*"],
      alias: { ...aliasesOf(entries), ...LIBRARY },
      ...map,
      logLevel: "silent",
      plugins: [relocate(entries)],
    });
    const contents = new Map(result.outputFiles.map((file) => [file.path, file.contents]));
    return entries.map((_, i) => contents.get(`/${i}.js`)!);
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new CulvertError(`Cannot bundle the ${what} as esbuild says: ${found}`);
  } finally {
    if (--bundling === 0) await esbuild.stop();
  }
}

/** The import maps of the entries' projects, as aliases for esbuild. */
function aliasesOf(entries: readonly string[]): Record<string, string> {
  const maps = entries.flatMap((entry) => Object.entries(userImports(entry)));
  return Object.fromEntries(maps.flatMap(([name, to]) => {
    const path = to.startsWith("file:") ? fileURLToPath(to) : /^npm:\/?(@?[^@]+)/.exec(to)?.[1]; // found in node_modules
    return path === undefined || /^[./]/.test(name) ? [] : [[strip(name), strip(path)]];
  }));
}

/** A folder of an import map without the slash at its end. */
function strip(path: string): string {
  return path.replace(/\/$/, "");
}

/**
 * Rewrites the URLs by which a module finds files, relative to itself, to their places in the
 * image.
 */
function relocate(entries: readonly string[]): Plugin {
  async function rewrite({ path }: OnLoadArgs): Promise<OnLoadResult> {
    let text = await Deno.readTextFile(path);
    text = text.replace(SHIM_URL, 'new URL("./$1", import.meta.url)');
    text = text.replace(FUNCTIONS_URL, 'new URL("./functions/", import.meta.url)');
    if (!entries.includes(path)) text = text.replaceAll("import.meta.main", "false");
    return { contents: text, loader: path.endsWith("ts") ? "ts" : "js" };
  }
  return {
    name: "relocate",
    setup: (build) => build.onLoad({ filter: /\.(ts|js|mjs)$/, namespace: "file" }, rewrite),
  };
}
