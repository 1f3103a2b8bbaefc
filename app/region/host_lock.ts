import { basename, dirname, resolve } from "node:path";
import { ShimError } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { isSameFile, type Owner, SAME, statusOf } from "../linux/owner.ts";
import { isPath, SOCKET_FOLDER, socketPath } from "../memory/region_name.ts";
import { openLocked } from "./locked_file.ts";
import { once } from "../linux/files.ts";

/** The file is for us and root alone. */
const OURS: Owner = { uid: SAME, gid: SAME, mode: 0o600 };

/** The right to be the host of a region that has a server. */
export interface HostLock {
  /** Let another host have the region. */
  release(): void;
}

/**
 * The file that a host of this region locks; undefined if it locks the memory itself. All peers
 * share the memory's descriptor, so each of them could lock it, for ever. No peer can open this
 * file.
 */
export function hostLockPath(region: string): string | undefined {
  const socket = resolve(isPath(region) ? region : socketPath(region));
  const folder = statusOf(dirname(socket)); // maybe under another name, as /var/run/culvert
  const isThere = dirname(socket) === SOCKET_FOLDER || isSameFile(folder, statusOf(SOCKET_FOLDER));
  return isThere ? `${SOCKET_FOLDER}/${basename(socket, ".sock")}.lock` : undefined;
}

/**
 * Take the place of a region's host.
 *
 * @returns undefined if there is no file for that, and we may not make one.
 * @throws {CulvertError} if another host has it.
 */
export function takeHostLock(region: string): HostLock | undefined {
  const path = hostLockPath(region);
  if (path === undefined) return undefined;
  try {
    const { fd, status } = openLocked(path, region, OURS);
    return {
      release: once(() => {
        // Removed while it is locked, so that no host locks a file that is about to go. Where we
        // may not remove it, it stays.
        if (isSameFile(status, statusOf(path))) shim.shim_path_remove(cString(path));
        shim.shim_fd_close(fd);
      }),
    };
  } catch (error) {
    const mayNotMake = error instanceof ShimError && ["EACCES", "EROFS"].includes(error.code);
    if (mayNotMake && statusOf(path) === undefined) return undefined;
    throw error;
  }
}
