/**
 * Bundles the guest app into one JavaScript file.
 *
 * @module
 */

import type { OnLoadArgs, OnLoadResult, Plugin } from "esbuild";
import { CulvertError } from "../../ffi/error.ts";

/** `new URL("../x.so", import.meta.url)`: how a module names the shim. */
const SHIM_URL = /new URL\(\s*"[^"]*\/([^"/]+\.so)"\s*,\s*import\.meta\.url\s*,?\s*\)/g;

/**
 * Loaded only when an image is built. It must not stand in the `import()` itself: Deno would look
 * for it at every start of the program, in the network if it has no copy.
 */
const ESBUILD = "esbuild";

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
  const esbuild: typeof import("esbuild") = await import(ESBUILD);
  const main = await Deno.realPath(entry).catch(() => {
    throw new CulvertError(
      `Cannot bundle the guest app ${entry} as it does not exist: pass its main module`,
    );
  });
  bundling++;
  try {
    const result = await esbuild.build({
      entryPoints: [main],
      bundle: true,
      write: false,
      format: "esm",
      platform: "node",
      target: "esnext",
      external: ["node:*"],
      logLevel: "silent",
      plugins: [relocate(main)],
    });
    return result.outputFiles[0].contents;
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new CulvertError(`Cannot bundle the guest app ${entry} as esbuild says: ${found}`);
  } finally {
    if (--bundling === 0) await esbuild.stop();
  }
}

/** Points what a module finds relative to itself to where it is in the image. */
function relocate(entry: string): Plugin {
  async function rewrite({ path }: OnLoadArgs): Promise<OnLoadResult> {
    let text = await Deno.readTextFile(path);
    text = text.replace(SHIM_URL, 'new URL("./$1", import.meta.url)');
    if (path !== entry) text = text.replaceAll("import.meta.main", "false");
    return { contents: text, loader: path.endsWith("ts") ? "ts" : "js" };
  }
  return {
    name: "relocate",
    setup: (build) => build.onLoad({ filter: /\.(ts|js|mjs)$/, namespace: "file" }, rewrite),
  };
}
