import { check, FILE_ADVICE } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";

const READ_ONLY = 0;

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
