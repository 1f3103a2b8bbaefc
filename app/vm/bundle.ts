/**
 * Bundles the guest app into one JavaScript file, and each module that it starts a Worker from into
 * one more.
 *
 * @module
 */

import { CulvertError } from "../../ffi/error.ts";
// Not in deno.json, so that `culvert host` never downloads it.
// deno-lint-ignore no-import-prefix
import type { OnLoadArgs, OnLoadResult, Plugin } from "npm:esbuild@0.25.12";

/** One file that goes beside the guest app. */
export interface BundledFile {
  /** File name without a directory: `guest.js` for the app itself. */
  name: string;
  /** JavaScript, an ES module. */
  content: Uint8Array;
}

/** `new URL("./x.ts", import.meta.url)`: how a module names a Worker's main module, or the shim. */
const LOCAL_URL =
  /new URL\(\s*(["'])(\.{1,2}\/[^"']+\.(?:ts|js|mjs|so))\1\s*,\s*import\.meta\.url\s*,?\s*\)/g;

/** Bundles under way: they share esbuild's process, and the last one ends it. */
let bundling = 0;

/**
 * Bundles `entry` as `guest.js`. Static and dynamic imports of local files are inlined; `node:`,
 * `npm:` and `jsr:` ones stay as they are. Worker modules named by `new URL("./x.ts",
 * import.meta.url)` become files of their own, a shared library named that way is expected beside
 * the app, and `import.meta.main` is true in an entry only, as without a bundle.
 *
 * @param entry Path of the guest app's main module.
 * @throws {CulvertError} If a module cannot be found or parsed, with file and line.
 */
export async function bundleGuestApp(entry: string): Promise<BundledFile[]> {
  // Imported late: only building an image needs it, and it may have to be downloaded.
  // deno-lint-ignore no-import-prefix
  const esbuild = await import("npm:esbuild@0.25.12");
  const main = await Deno.realPath(entry).catch(() => {
    throw new CulvertError(
      `Cannot bundle the guest app ${entry} as it does not exist: pass its main module`,
    );
  });
  const names = new Map([[main, "guest.js"]]);
  const files: BundledFile[] = [];
  bundling++;
  try {
    // Bundling a module may add Workers to `names`, which this loop then visits too.
    for (const [path, name] of names) {
      const result = await esbuild.build({
        entryPoints: [path],
        bundle: true,
        write: false,
        format: "esm",
        platform: "node",
        target: "esnext",
        external: ["node:*", "npm:*", "jsr:*"],
        logLevel: "silent",
        plugins: [relocate(path, names)],
      });
      files.push({ name, content: result.outputFiles[0].contents });
    }
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new CulvertError(`Cannot bundle the guest app ${entry} as esbuild says: ${found}`);
  } finally {
    if (--bundling === 0) await esbuild.stop();
  }
  return files;
}

/** Points what a module finds relative to itself to where it is in the image. */
function relocate(entry: string, names: Map<string, string>): Plugin {
  async function rewrite({ path }: OnLoadArgs): Promise<OnLoadResult> {
    let text = await Deno.readTextFile(path);
    text = text.replace(LOCAL_URL, (match, _quote, relative: string) => {
      const name = relative.endsWith(".so")
        ? fileName(relative)
        : workerName(relative, path, names);
      return name === undefined ? match : `new URL("./${name}", import.meta.url)`;
    });
    if (path !== entry) text = text.replaceAll("import.meta.main", "false");
    return { contents: text, loader: path.endsWith("ts") ? "ts" : "js" };
  }
  return {
    name: "relocate",
    setup: (build) => build.onLoad({ filter: /\.(ts|js|mjs)$/, namespace: "file" }, rewrite),
  };
}

/**
 * The bundled name of a Worker's module; `undefined` if there is no such file, as in an example in
 * a comment.
 */
function workerName(
  relative: string,
  importer: string,
  names: Map<string, string>,
): string | undefined {
  let path;
  try {
    path = Deno.realPathSync(new URL(relative, `file://${importer}`));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const name = names.get(path) ?? `worker${names.size}_${fileName(path).replace(/\.\w+$/, "")}.js`;
  names.set(path, name);
  return name;
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
