/**
 * The import map of functions: culvert's own names, and those of the user's project.
 *
 * As a program, for the package's launcher: it prints what Deno's `--import-map` is to be, and,
 * each behind a comma, the folders of the files that the map leads to.
 *
 * @module
 */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { absolute, userImports } from "../guest/function/user_imports.ts";

/** Whether this is a clone, not the package, where JavaScript and types lie apart. */
const IS_CLONE = import.meta.url.endsWith(".ts");

/** Culvert's own import map. */
const OWN = fileURLToPath(
  new URL(IS_CLONE ? "../../.import_map.json" : "../../imports.json", import.meta.url),
);

/**
 * The import map of these files, as a URL: what their projects say; and culvert's own names, which
 * lead to this build.
 *
 * @param types Whether the map is for checking types.
 */
export function importMapUrl(files: readonly string[], types = false): string {
  const users = files.map((file) => Object.entries(userImports(file))).reverse().flat();
  const { imports } = JSON.parse(Deno.readTextFileSync(OWN));
  const own = Object.entries(absolute(imports, dirname(OWN))).map(([name, url]) => [
    name,
    types && !IS_CLONE ? url.replace(/\/dist\/(.*)\.js$/, "/types/$1.d.ts") : url,
  ]);
  const map = JSON.stringify({ imports: Object.fromEntries([...users, ...own]) });
  return `data:application/json,${encodeURIComponent(map)}`;
}

/** The folders of the user's files that the map leads to. */
function foldersOf(files: readonly string[]): string[] {
  const paths = files.flatMap((file) => Object.values(userImports(file)))
    .filter((to) => to.startsWith("file:")).map((to) => fileURLToPath(to));
  return [...new Set(paths.map((path) => path.endsWith("/") ? path.slice(0, -1) : dirname(path)))];
}

if (import.meta.main) {
  const files = Deno.args.flatMap((arg) => arg.split("\n")).filter(Boolean);
  console.log(importMapUrl(files));
  console.log(foldersOf(files).map((folder) => `,${folder}`).join(""));
}
