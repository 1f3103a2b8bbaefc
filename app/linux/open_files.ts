import { CulvertError } from "../../ffi/error.ts";
import { readKernelFile } from "./kernel_file.ts";

/**
 * How many files a program has open once it has begun, ports included, and how many more for each
 * lcore's thread. Deno ends with a trace of its own if a thread cannot open its files.
 */
const OF_PROGRAM = 48, OF_LCORE = 16;

/**
 * See that a program may have as many files open as it takes to begin.
 *
 * @param what The program, for people.
 * @param lcores How many threads it begins.
 * @param limits What `/proc/self/limits` says.
 * @throws {CulvertError} if the limit is lower.
 */
export function checkOpenFiles(
  what: string,
  lcores: number,
  limits: string = readKernelFile("/proc/self/limits"),
): void {
  const [, soft = "unlimited"] = /^Max open files\s+(\S+)/m.exec(limits) ?? [];
  const needed = OF_PROGRAM + OF_LCORE * lcores;
  if (soft === "unlimited" || Number(soft) >= needed) return;
  throw new CulvertError(
    `Cannot run ${what} as it may have ${soft} files open, and needs ${needed}: raise the limit ` +
      "of open files (ulimit -n)",
  );
}
