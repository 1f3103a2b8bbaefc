import { check, CulvertError, FILE_ADVICE } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { statusOf } from "./owner.ts";

/** `access` of `shim_file_open()`. */
const CREATE = 2, WRITE_ONLY = 4;

/** Of a mode: `S_IFMT`, and what is there. */
const KIND = 0o170000, REGULAR = 0o100000, LINK = 0o120000;

/** `offset` of `shim_file_write()`: where the last write ended. */
const AT_POSITION = 0xffffffff;

/**
 * Make a file, after removing one that is there; a FIFO or a device is opened as it is. The shim
 * does it, so that a Worker may write the file.
 *
 * @returns its descriptor, to be closed by the caller.
 * @throws {CulvertError} if it cannot be made.
 */
export function createFile(path: string): number {
  const found = statusOf(path);
  const kind = found === undefined ? REGULAR : found.mode & KIND;
  if (kind === LINK) {
    throw new CulvertError(`Cannot write ${path} as it is a symbolic link: name the file itself`);
  }
  if (found && kind === REGULAR) check(shim.shim_path_remove(cString(path)), `remove ${path}`);
  const access = kind === REGULAR ? CREATE : WRITE_ONLY;
  return check(shim.shim_file_open(cString(path), access), `write ${path}`, FILE_ADVICE);
}

/** An open file, to be read or written in any thread. */
export function fileAt(fd: number, path: string): {
  /** Read some bytes; null at the end. */
  readSync(bytes: Uint8Array): number | null;
  /** Write some bytes behind the last ones; returns how many. */
  writeSync(bytes: Uint8Array): number;
} {
  return {
    readSync: (bytes) =>
      check(
        shim.shim_file_read(fd, bytes as Uint8Array<ArrayBuffer>, bytes.length),
        `read ${path}`,
      ) || null,
    writeSync: (bytes) =>
      check(
        shim.shim_file_write(fd, bytes as Uint8Array<ArrayBuffer>, bytes.length, AT_POSITION),
        `write ${path}`,
        { ENOSPC: "free some, or write elsewhere" },
      ),
  };
}
