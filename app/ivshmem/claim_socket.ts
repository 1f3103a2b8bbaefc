import { dirname } from "node:path";
import { check, CulvertError, FILE_ADVICE, kernelError, ShimError } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { givePath, type Owner, ownerFor, SAME, statusOf } from "../linux/owner.ts";
import { SOCKET_FOLDER } from "../memory/region_name.ts";
import { checkMayKeep, remove } from "../linux/files.ts";
import { ANOTHER_SERVER_CODE } from "./server_report.ts";

const READ_ONLY_FOLLOWING = 3;

/** Of a mode: `S_IFMT` and `S_IFSOCK`. */
const KIND = 0o170000, SOCKET = 0o140000;
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
 * Listen at `path`, mode 0600, and replace a socket there at which nobody answers any more. The
 * folder is locked meanwhile: otherwise one of two servers that find a dead socket could remove the
 * other's new one.
 *
 * @param owner The user and the group that may connect.
 * @throws {CulvertError} if somebody answers there, or it may not be made.
 */
export async function claimSocket(
  path: string,
  owner: Owner = ownerFor({}),
): Promise<ClaimedSocket> {
  checkMayKeep("listen", path);
  const folder = dirname(path);
  if (folder === SOCKET_FOLDER) makeFolder(owner);
  const action = `lock the folder ${folder}`;
  const lock = check(
    shim.shim_file_open(cString(folder), READ_ONLY_FOLLOWING),
    action,
    FILE_ADVICE,
  );
  try {
    await takeLock(lock, action);
    const listener = listen(path, owner);
    const ours = statusOf(path)?.inode;
    return {
      listener,
      release() {
        if (statusOf(path)?.inode === ours) remove(path); // or it is another's by now
        shim.shim_fd_close(listener);
      },
    };
  } finally {
    shim.shim_fd_close(lock);
  }
}

/** Whether others than a path's owner and root may put something into a folder of this mode. */
const WRITABLE_BY_OTHERS = 0o022;

/**
 * Make the folder of all sockets, if it is not there: mode 0700, or 0711 once a socket is for
 * another user or a group. Each socket has a mode of its own; others can neither list the folder
 * nor put anything there.
 */
function makeFolder(owner: Owner): void {
  const found = statusOf(SOCKET_FOLDER);
  if (!found) {
    try {
      Deno.mkdirSync(SOCKET_FOLDER, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw kernelError(error, `make ${SOCKET_FOLDER}`, "run as root, or name a path");
    }
  }
  const { mode, uid } = found ?? { mode: 0o700, uid: undefined };
  if ((mode & WRITABLE_BY_OTHERS) !== 0) {
    throw new CulvertError(
      `Cannot listen in ${SOCKET_FOLDER} as its mode is ${(mode & 0o7777).toString(8)}: others ` +
        `could put their sockets there; chmod 711 ${SOCKET_FOLDER}`,
    );
  }
  const isShared = owner.mode !== 0o600 || (owner.uid !== SAME && owner.uid !== uid);
  if (isShared && (mode & 0o011) !== 0o011) {
    givePath(SOCKET_FOLDER, { uid: SAME, gid: SAME, mode: (mode & 0o777) | 0o011 });
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

function listen(path: string, owner: Owner): number {
  const other = shim.shim_unix_connect(cString(path), 100);
  if (other >= 0) shim.shim_fd_close(other);
  const code = other < 0 ? new ShimError("", -other).code : "";
  if (other >= 0 || code === "EAGAIN") { // EAGAIN: its queue of connections is full
    throw new CulvertError(
      `Cannot listen at ${path} as another server answers there: stop that one, or use another -S`,
      { code: ANOTHER_SERVER_CODE },
    );
  }
  if (code === "ECONNREFUSED") removeSocket(path);
  else if (code !== "ENOENT") check(other, `see who answers at ${path}`, FILE_ADVICE);
  const listener = check(shim.shim_unix_listen(cString(path)), `listen at ${path}`, FILE_ADVICE);
  try {
    givePath(path, owner); // until now it was ours alone
    return listener;
  } catch (error) {
    remove(path);
    shim.shim_fd_close(listener);
    throw error;
  }
}

/**
 * Remove a socket at which nobody answers, but no other kind of file: opening a FIFO would wait.
 */
function removeSocket(path: string): void {
  const found = statusOf(path);
  if (found && (found.mode & KIND) !== SOCKET) {
    throw new CulvertError(
      `Cannot listen at ${path} as a file is there that is no socket: remove it, or use another -S`,
    );
  }
  remove(path);
}
