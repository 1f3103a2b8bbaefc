import { dirname } from "node:path";
import { check, CulvertError, ShimError } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { SOCKET_FOLDER } from "../memory/region_name.ts";
import { checkMayKeep, remove } from "./own_file.ts";

const READ_ONLY_FOLLOWING = 3;
const EAGAIN = 11;

/** Milliseconds that another server may take to claim a socket in the same folder. */
const CLAIM_MS = 5000;

/** A listening socket whose path is ours. */
export interface ClaimedSocket {
  /** The socket, which does not block. */
  readonly listener: number;
  /** Remove the path, then close the socket: never another server's path. */
  release(): void;
}

/**
 * Listen at `path`, mode 0600, in the place of a socket at which nobody answers any more. The folder
 * is locked meanwhile: of two servers that find one dead socket, one would remove the other's.
 *
 * @throws {CulvertError} if somebody answers there, or it may not be made.
 */
export async function claimSocket(path: string): Promise<ClaimedSocket> {
  checkMayKeep("listen", path);
  const folder = dirname(path);
  if (folder === SOCKET_FOLDER) makeFolder();
  const action = `lock the folder ${folder}`;
  const lock = check(shim.shim_file_open(cString(folder), READ_ONLY_FOLLOWING), action);
  try {
    await takeLock(lock, action);
    const listener = listen(path);
    const ours = inodeOf(path);
    return {
      listener,
      release() {
        if (inodeOf(path) === ours) remove(path);
        shim.shim_fd_close(listener);
      },
    };
  } finally {
    shim.shim_fd_close(lock);
  }
}

/** The inode at a path: another one if somebody has removed our socket and put his own there. */
function inodeOf(path: string): number | null {
  try {
    return Deno.lstatSync(path).ino;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function makeFolder(): void {
  try {
    Deno.mkdirSync(SOCKET_FOLDER, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw new CulvertError(
      `Cannot make ${SOCKET_FOLDER} as ${(error as Error).message}: run as root, or name a path`,
    );
  }
}

async function takeLock(fd: number, action: string): Promise<void> {
  const end = performance.now() + CLAIM_MS;
  for (;;) {
    const locked = shim.shim_file_lock(fd);
    if (locked === 0) return;
    if (locked !== -EAGAIN || performance.now() > end) check(locked, action);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function listen(path: string): number {
  const other = shim.shim_unix_connect(cString(path), 100);
  if (other >= 0) shim.shim_fd_close(other);
  const code = other < 0 ? new ShimError("", -other).code : "";
  if (other >= 0 || code === "EAGAIN") { // EAGAIN: others wait for it, too many already
    throw new CulvertError(
      `Cannot listen at ${path} as another server answers there: stop that one, or use another -S`,
    );
  }
  if (code === "ECONNREFUSED") removeSocket(path);
  else if (code !== "ENOENT") check(other, `see who answers at ${path}`);
  return check(shim.shim_unix_listen(cString(path)), `listen at ${path}`);
}

/** Remove a socket at which nobody answers, but no other kind of file: that gives ENXIO when opened. */
function removeSocket(path: string): void {
  const fd = shim.shim_file_open(cString(path), 0);
  if (fd >= 0) shim.shim_fd_close(fd);
  if (fd >= 0 || new ShimError("", -fd).code !== "ENXIO") {
    throw new CulvertError(
      `Cannot listen at ${path} as a file is there that is no socket: remove it, or use another -S`,
    );
  }
  remove(path);
}
