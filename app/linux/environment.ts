import { readKernelFile } from "./kernel_file.ts";

/**
 * A variable of the environment that this process was started with, without Deno's permission to
 * read it; undefined if there is none.
 *
 * @param environment As in /proc/self/environ: `NAME=VALUE`, each with a NUL behind it.
 */
export function environmentVariable(
  name: string,
  environment: string = readKernelFile("/proc/self/environ"),
): string | undefined {
  const found = environment.split("\0").find((line) => line.startsWith(`${name}=`));
  return found?.slice(name.length + 1);
}
