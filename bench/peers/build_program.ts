import { fileURLToPath } from "node:url";
import { CulvertError } from "../../ffi/error.ts";

const TARGET = fileURLToPath(new URL("../../.cache/bench/", import.meta.url));

/**
 * Compile a C program, unless the one that is there is newer than its sources.
 *
 * @param sources Paths; the first is the program, the others are what it includes.
 * @param architecture What the compiler is told by `-march`.
 * @param library What it is built on.
 * @returns the program's path.
 * @throws {CulvertError} with the compiler's words, if it refuses.
 */
export async function buildProgram(
  sources: readonly string[],
  architecture: string,
  library: "libdpdk" | "libc" = "libdpdk",
): Promise<string> {
  const name = sources[0].replace(/^.*\/|\.c$/g, "");
  const program = `${TARGET}${name}-${architecture}`;
  const built = (await Deno.stat(program).catch(() => undefined))?.mtime ?? new Date(0);
  const changed = await Promise.all(sources.map(async (path) => (await Deno.stat(path)).mtime!));
  if (changed.every((time) => time < built)) return program;
  await Deno.mkdir(TARGET, { recursive: true });
  const fresh = `${program}.${Deno.pid}`;
  const flags = "-std=gnu11 -O3 -Wall -Wextra -Werror -DALLOW_EXPERIMENTAL_API";
  const told = (what: string) => library === "libdpdk" ? `$(pkg-config ${what} libdpdk)` : "";
  const command = `cc ${flags} ${told("--cflags")} -march=${architecture} "$1" -o "$2" ` +
    `${told("--libs")} -lpthread`;
  const args = ["-c", command, "sh", sources[0], fresh];
  const { success, stderr } = await new Deno.Command("sh", { args }).output();
  if (!success) {
    throw new CulvertError(
      `Cannot build ${sources[0]} as cc refused it:\n${new TextDecoder().decode(stderr)}`,
    );
  }
  await Deno.rename(fresh, program);
  return program;
}
