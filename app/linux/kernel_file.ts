import { check, CulvertError, FILE_ADVICE } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { statusOf } from "./owner.ts";

const READ_ONLY = 0;

/** Bits of a mode that tell what kind of file it is; a regular one; and a symbolic link. */
const KIND = 0o170000, REGULAR = 0o100000, LINK = 0o120000;

/**
 * Read a small text file of the user's. What is no regular file is not opened: that could wait for
 * a writer, and with us all that a program does in its main thread.
 *
 * @throws {CulvertError} if it is no regular file, or cannot be read.
 */
export function readRegularFile(path: string): string {
  const kind = (statusOf(path)?.mode ?? REGULAR) & KIND;
  if (kind !== REGULAR && kind !== LINK) { // a link is refused where it is opened
    throw new CulvertError(
      `Cannot read ${path} as it is no regular file: a folder, pipe, socket or device; name a file`,
    );
  }
  return readKernelFile(path);
}

/** Read a small text file of the kernel's, such as one in /proc, which Deno opens under -A only. */
export function readKernelFile(path: string): string {
  const fd = check(shim.shim_file_open(cString(path), READ_ONLY), `read ${path}`, FILE_ADVICE);
  const chunks: Uint8Array[] = [];
  try {
    for (;;) {
      const chunk = new Uint8Array(4096);
      const n = check(shim.shim_file_read(fd, chunk, chunk.length), `read ${path}`);
      if (n === 0) break;
      chunks.push(chunk.subarray(0, n));
    }
  } finally {
    shim.shim_fd_close(fd);
  }
  const decoder = new TextDecoder();
  return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("");
}
