import { check, CulvertError, ShimError } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";

/**
 * The size of an open file in bytes.
 *
 * @throws {ShimError} if it cannot be told.
 */
export function fileBytes(fd: number, path: string): number {
  const bytes = Number(shim.shim_file_size(fd));
  return check(Math.min(bytes, 0), `tell the size of ${path}`) + bytes;
}

/**
 * See beforehand that Deno lets us look at, and remove, a file that we are about to make.
 *
 * @param verb What is done there: `listen`.
 * @throws {CulvertError} that says which permission is missing.
 */
export function checkMayKeep(verb: string, path: string): void {
  const missing = (["read", "write"] as const).filter((name) =>
    Deno.permissions.querySync({ name, path }).state !== "granted"
  );
  if (missing.length === 0) return;
  throw new CulvertError(
    `Cannot ${verb} at ${path} as we may not remove that in the end: use a NAME, a path in ` +
      `/dev/shm, or run deno with ${missing.map((name) => `--allow-${name}=${path}`).join(" ")}`,
  );
}

/**
 * Remove a file, unless somebody else has. Not by Deno, whose permission we have given up by then:
 * {@linkcode checkMayKeep} has asked for it beforehand.
 *
 * @throws {CulvertError} if it may not be removed.
 */
export function remove(path: string): void {
  const result = shim.shim_path_remove(cString(path));
  if (result < 0 && new ShimError("", -result).code === "ENOENT") return;
  check(result, `remove ${path}`, "run as root, or use a path in /dev/shm");
}

/** `work`, but only once. */
export function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}
