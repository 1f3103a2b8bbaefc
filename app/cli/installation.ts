import { fileURLToPath } from "node:url";
import { CulvertError } from "../../ffi/error.ts";

/** The package's folder: this file is dist/app/cli/installation.js of it. */
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/**
 * The folder of the package that this program belongs to; its command is `bin/culvert` there.
 *
 * @param purpose What needs it, for errors: `write units`.
 * @throws {CulvertError} if this is a clone.
 */
export function installationFolder(purpose: string): string {
  try {
    Deno.statSync(`${ROOT}bin/culvert`);
    return ROOT;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new CulvertError(
      `Cannot ${purpose} as this is a clone, not an installation: deno task package, then npm ` +
        "install -g --prefix /usr/local .cache/package/culvert-net-*.tgz",
    );
  }
}
