import { readKernelFile } from "./kernel_file.ts";

/** SIGHUP's bit in a mask of signals. */
const HANGUP = 1n;

/** The bits of open(2)'s flags that say how a file may be used, and the one for writing alone. */
const ACCESS = 3, WRITE_ONLY = 1;

/**
 * Whether this program is to outlive its terminal: `nohup` has started it.
 *
 * nohup ignores SIGHUP, and puts a file that can only be written in the place of a terminal's
 * stdin. Under npx and `deno task`, which catch every signal, only the second is seen.
 *
 * @param read Reads a file in /proc/self.
 */
export function outlivesTerminal(
  read: (file: string) => string = (file) => readKernelFile(`/proc/self/${file}`),
): boolean {
  const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(read("status"))?.[1] ?? "0";
  if ((BigInt(`0x${ignored}`) & HANGUP) !== 0n) return true;
  const flags = /^flags:\s*([0-7]+)$/m.exec(read("fdinfo/0"))?.[1] ?? "0";
  return (parseInt(flags, 8) & ACCESS) === WRITE_ONLY;
}
