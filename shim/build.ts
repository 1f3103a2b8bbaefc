/**
 * `deno task shim`: build the shim with `cc`, unless there is a library that was built from the
 * same sources with the same flags.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";

/** The C files, all of them. */
export const SOURCES: readonly string[] = [
  "memory.c",
  "bus_error.c",
  "atomic.c",
  "thread.c",
  "unix.c",
  "interface.c",
  "burst.c",
]
  .concat("privileges.c", "keeper.c", "server_start.c", "eventfd.c");
/** The compiler's flags. */
export const FLAGS: readonly string[] = [
  "-std=c11",
  "-O2",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-fPIC",
  "-shared",
]
  .concat("-fvisibility=hidden", Deno.build.arch === "x86_64" ? ["-mprfchw"] : []);

const folder = new URL("./", import.meta.url);
const target = new URL("../.cache/shim/", import.meta.url);
const library = new URL("libculvert.so", target);
const stamp = new URL("libculvert.hash", target);

/** A hash of what the library depends on: sources, flags and machine. */
async function wanted(): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([FLAGS, Deno.build.target]));
  for (const name of ["shim.h", ...SOURCES]) {
    hash.update(await Deno.readFile(new URL(name, folder)));
  }
  return hash.digest("hex");
}

async function isBuilt(hash: string): Promise<boolean> {
  try {
    await Deno.stat(library);
    return await Deno.readTextFile(stamp) === hash;
  } catch {
    return false;
  }
}

/**
 * Compile to a new file and rename it, so that a running forwarder keeps the file it has mapped.
 */
async function build(hash: string): Promise<void> {
  await Deno.mkdir(target, { recursive: true });
  const fresh = new URL(`libculvert.${Deno.pid}.so`, target);
  const sources = SOURCES.map((name) => fileURLToPath(new URL(name, folder)));
  let result;
  try {
    result = await new Deno.Command("cc", {
      args: [...FLAGS, "-o", fileURLToPath(fresh), ...sources],
    })
      .output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.error(
      "Cannot build the shim as there is no C compiler `cc` in PATH: install one, on Debian with\n" +
        "  apt-get install --no-install-recommends gcc libc6-dev",
    );
    Deno.exit(1);
  }
  if (!result.success) {
    console.error("Cannot build the shim as cc refused it:");
    console.error(new TextDecoder().decode(result.stderr));
    Deno.exit(1);
  }
  await Deno.rename(fresh, library);
  await Deno.writeTextFile(stamp, hash);
}

if (import.meta.main) {
  const hash = await wanted();
  if (!await isBuilt(hash)) await build(hash);
}
