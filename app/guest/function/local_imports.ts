import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** What a module imports of files that lie beside it: `from "./x.ts"`, `import("../y.js")`. */
const LOCAL = /\b(?:from|import)\s*\(?\s*["']((?:\.{1,2}\/|file:\/\/)[^"'\n]+)["']/g;

/**
 * The files of a function: its own, the files that it imports, and the files that these import.
 * Packages are left out, and files that cannot be read.
 *
 * @param file An absolute path.
 */
export function filesOf(file: string): Set<string> {
  const found = new Set<string>();
  const visit = (path: string) => {
    if (found.has(path)) return;
    found.add(path);
    for (const [, specifier] of textOf(path).matchAll(LOCAL)) {
      const isUrl = specifier.startsWith("file:");
      visit(isUrl ? fileURLToPath(specifier) : resolve(dirname(path), specifier));
    }
  };
  visit(file);
  return found;
}

/** The text of a module; empty if the file is none, or cannot be read just now. */
function textOf(path: string): string {
  if (!/\.[cm]?[jt]sx?$/.test(path)) return "";
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
