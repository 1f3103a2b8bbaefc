import { CulvertError, UsageError } from "../../ffi/error.ts";
import { isFile } from "../guest/function/function_name.ts";
import { importMapUrl } from "./import_map.ts";

/**
 * Check the types of functions that are files in TypeScript, as `deno check` does: another Deno
 * does it, which we may not run any more afterwards, whatever a function tries.
 *
 * @param named What `--function` names.
 * @throws {CulvertError} with what `deno check` says, if a type is wrong.
 * @throws {UsageError} if we may not run Deno.
 */
export async function checkTypes(named: readonly string[]): Promise<void> {
  const files = named.filter((name) => isFile(name) && /\.[cm]?tsx?$/.test(name));
  const found = files.length === 0 ? undefined : await runCheck(files);
  Deno.permissions.revokeSync({ name: "run" });
  if (found !== undefined) {
    throw new CulvertError(`Cannot use ${files.join(", ")} as deno check says:\n${found}`);
  }
}

/** What `deno check` says; undefined if nothing is wrong. */
async function runCheck(files: readonly string[]): Promise<string | undefined> {
  const how = ["--quiet", "--no-config", "--no-lock", "--node-modules-dir=manual"];
  const args = ["check", ...how, `--import-map=${importMapUrl(files, true)}`, "--", ...files];
  try {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args,
      env: { NO_COLOR: "1" },
    }).output();
    if (success) return undefined;
    return new TextDecoder().decode(stderr).replace(/\n*error: Type checking failed\.[^]*$/, "");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new UsageError(
      `Cannot check types as culvert may not run Deno here: run deno check ${files.join(" ")}`,
    );
  }
}
