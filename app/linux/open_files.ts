import { CulvertError } from "../../ffi/error.ts";
import { readKernelFile } from "./kernel_file.ts";

/**
 * Open files of a program when it begins, with its ports, and those of one lcore's thread. Deno
 * ends with a trace of its own where a thread cannot have them.
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
