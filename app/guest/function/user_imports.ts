import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";

/** Where each name of an import map leads: a URL, or a name that something else resolves. */
export type Imports = Readonly<Record<string, string>>;

/** What Deno calls its configuration. */
const CONFIGS = ["deno.json", "deno.jsonc"];

/**
 * The import map that a user's project has: that of the nearest `deno.json` or `deno.jsonc` above a
 * file. Paths in it become URLs. Packages in `node_modules` need none.
 *
 * @throws {SyntaxError} if the configuration is no JSON.
 */
export function userImports(file: string): Imports {
  for (let folder = dirname(resolve(file));; folder = dirname(folder)) {
    for (const name of CONFIGS) {
      const config = readJson(`${folder}/${name}`);
      if (config === undefined) continue;
      if (typeof config.importMap !== "string") return absolute(config.imports, folder);
      const map = resolve(folder, config.importMap);
      return absolute(readJson(map)?.imports, dirname(map));
    }
    if (folder === dirname(folder)) return {};
  }
}

/** The names of a map, with URLs for the paths in it, which are relative to a folder. */
export function absolute(imports: unknown, folder: string): Imports {
  const base = pathToFileURL(`${folder}/`);
  return Object.fromEntries(
    Object.entries(imports ?? {}).filter(([, to]) => typeof to === "string").map(([name, to]) => [
      name,
      /^\.{0,2}\//.test(to) ? new URL(to, base).href : to,
    ]),
  );
}

/**
 * Read JSON, with the comments and trailing commas that Deno allows; undefined if there is no file.
 */
function readJson(path: string): Record<string, unknown> | undefined {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
  const plain = text.replace(/("(?:\\.|[^"\\])*")|\/\/[^\n]*|\/\*[^]*?\*\//g, "$1")
    .replace(/("(?:\\.|[^"\\])*")|,(?=\s*[}\]])/g, "$1");
  return JSON.parse(plain);
}
