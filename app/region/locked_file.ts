import { check, CulvertError, FILE_ADVICE, ShimError } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { type FileStatus, isSameFile, type Owner, statusOf, statusOfFile } from "../linux/owner.ts";
import { checkIsOurs } from "../linux/files.ts";
import { lockRegion } from "./region_claim.ts";

const READ_WRITE = 1, CREATE = 2;

/** How often a file may be made or removed by others between two steps of ours. */
const TRIES = 20;

/** An open file that this host has locked, and that was at its path then. */
export interface LockedFile {
  /** Its descriptor. The kernel gives the lock back when that is closed. */
  readonly fd: number;
  /** Whether we have made it. */
  readonly isMade: boolean;
  /** What it is. */
  readonly status: FileStatus;
}

/**
 * Open a region's file and lock it, or make it. Hosts that start or end at the same time make and
 * remove such files: the file that is returned is the one that others find at that path.
 *
 * @param owner The user that may have made it, beside us and root.
 * @param mayMake Called before it is made.
 * @throws {CulvertError} if another host has it, it is somebody else's, or may not be opened.
 */
export function openLocked(
  path: string,
  region: string,
  owner: Owner,
  mayMake: () => void = () => {},
): LockedFile {
  for (let i = 0; i < TRIES; i++) {
    const opened = openOrMake(path, mayMake);
    if (!opened) continue;
    const { fd, isMade } = opened;
    try {
      if (!isMade) checkIsOurs(fd, path, owner, `host region ${region}`);
      lockRegion(fd, region); // if it fails, another host has locked our new file, and keeps it
      const status = statusOfFile(fd, path);
      if (isSameFile(status, statusOf(path))) return { fd, isMade, status };
    } catch (error) {
      shim.shim_fd_close(fd);
      throw error;
    }
    shim.shim_fd_close(fd); // its last host has removed it since we opened it
  }
  throw new CulvertError(
    `Cannot host region ${region} as ${path} was another file at each of ${TRIES} looks: see who ` +
      "removes it all the time",
  );
}

/** Undefined if another host has made or removed it between our two calls. */
function openOrMake(
  path: string,
  mayMake: () => void,
): { fd: number; isMade: boolean } | undefined {
  const found = shim.shim_file_open(cString(path), READ_WRITE);
  if (found >= 0) return { fd: found, isMade: false };
  const { code } = new ShimError("", -found);
  if (code !== "ENOENT") {
    check(found, `open region file ${path}`, FILE_ADVICE);
  }
  mayMake();
  const made = shim.shim_file_open(cString(path), CREATE);
  if (made < 0 && new ShimError("", -made).code === "EEXIST") return undefined;
  return { fd: check(made, `create region file ${path}`, FILE_ADVICE), isMade: true };
}
