import { check, CulvertError, ShimError } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { type Owner, statusOfFile } from "./owner.ts";

/**
 * The size of an open file in bytes.
 *
 * @throws {ShimError} if it cannot be told.
 */
export function fileBytes(fd: number, path: string): number {
  const bytes = Number(shim.shim_file_size(fd));
  const advice = { EINVAL: "it is a device or a pipe: name a file" };
  return check(Math.min(bytes, 0), `tell the size of ${path}`, advice) + bytes;
}

/**
 * Check, before a file is made, that Deno lets us look at it and remove it.
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
 * Remove a file, if it is still there. The shim does it, for by then the program has given up
 * Deno's permissions, which {@linkcode checkMayKeep} has checked before.
 *
 * @throws {CulvertError} if it may not be removed.
 */
export function remove(path: string): void {
  const result = shim.shim_path_remove(cString(path));
  if (result < 0 && new ShimError("", -result).code === "ENOENT") return;
  check(result, `remove ${path}`, "run as root, or use a path in /dev/shm");
}

/** Bits of a mode: `S_IFMT` and `S_IFREG`, and those that let group and others write. */
const KIND = 0o170000, REGULAR = 0o100000, WRITABLE_BY_OTHERS = 0o022;

/**
 * Check that a file that was there before belongs to us, root or `owner`, and that nobody else may
 * write it, but the group of `owner` if that may. A user who made such a file for us could still
 * have it open.
 *
 * @param action What is done with it: `serve /dev/shm/culvert0`.
 * @throws {CulvertError} if not.
 */
export function checkIsOurs(fd: number, path: string, owner: Owner, action: string): void {
  const { uid, gid, mode } = statusOfFile(fd, path);
  if ((mode & KIND) !== REGULAR) {
    throw new CulvertError(`Cannot ${action} as ${path} is no regular file: use another path`);
  }
  const us = new Uint32Array(4);
  check(shim.shim_privileges_get(us), "see who we are");
  if (uid !== us[0] && uid !== 0 && uid !== owner.uid) {
    throw new CulvertError(
      `Cannot ${action} as ${path} belongs to user ${uid}: remove it, or be that one by --user ${uid}`,
    );
  }
  const allowed = gid === owner.gid ? owner.mode : 0;
  if ((mode & WRITABLE_BY_OTHERS & ~allowed) !== 0) {
    throw new CulvertError(
      `Cannot ${action} as others may write ${path}, whose mode is ${
        (mode & 0o777).toString(8)
      }: ` +
        "remove it, or chmod 600; a --group may write it",
    );
  }
}

/** `work`, but only once. */
export function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}

/** A new descriptor of the file that is open as `fd`. */
export function copyDescriptor(fd: number): number {
  const copy = check(shim.shim_eventfd(), "copy a descriptor"); // to be replaced
  check(shim.shim_fd_copy(fd, copy), "copy a descriptor");
  return copy;
}
