import { basename, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { UsageError } from "../../../ffi/error.ts";

/** Where the functions are that come with culvert, each a file of its own. */
const FOLDER = new URL("../functions/", import.meta.url);

/** How those files end: they are bundled where this one is. */
const ENDING = import.meta.url.endsWith(".ts") ? ".ts" : ".js";

/** How files end that Deno runs. */
const IS_CODE = /\.[cm]?[jt]s$/;

/**
 * The file that `--function` names: a path, or the name of a function that comes with culvert.
 *
 * @throws {UsageError} if there is no such file, or it is neither TypeScript nor JavaScript.
 */
export function findFunction(named: string): { name: string; url: string } {
  const isPath = isFile(named);
  if (isPath && !IS_CODE.test(named)) {
    throw new UsageError(
      `Cannot use function ${named} by its name: a file of yours ends in .ts, .js, .mts or .mjs; ` +
        `${functionNames().join(", ")} come with culvert`,
    );
  }
  const url = isPath ? pathToFileURL(resolve(named)) : new URL(`${named}${ENDING}`, FOLDER);
  if (exists(fileURLToPath(url))) return { name: nameOf(named), url: url.href };
  throw new UsageError(
    isPath
      ? `Cannot use function ${named} as there is no such file: name its path, as ./my.ts`
      : `Cannot use function ${named} as there is none of that name: ${
        functionNames().join(", ")
      } ` +
        "come with culvert; a file of yours is named by its path, as ./my.ts",
  );
}

/** What logs call a function that is named so. */
export function nameOf(named: string): string {
  return isFile(named) ? basename(named) : named;
}

/** Whether a path is meant, not the name of a function that comes with culvert. */
export function isFile(named: string): boolean {
  return named.includes("/") || IS_CODE.test(named);
}

/** The functions that come with culvert. */
function functionNames(): string[] {
  return [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
    .filter((name) => name.endsWith(ENDING))
    .map((name) => name.slice(0, -ENDING.length)).sort();
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new UsageError(
      `Cannot use function ${path} as culvert may not read it: copy it into the folder that ` +
        "culvert runs in, or give Deno --allow-read for it",
    );
  }
}
