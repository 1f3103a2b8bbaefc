/**
 * `deno task shim`: build the shim with `cc`, unless there is a library that was built from the
 * same sources with the same flags.
 *
 * `shim/build.ts FILE [ARCH]` builds it into a file, for this machine or, by a cross compiler, for
 * `aarch64` or `x86_64`.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** What these include. */
const HEADERS: readonly string[] = ["shim.h", "burst.h"];

/** The C files, all of them. */
export const SOURCES: readonly string[] = [
  ...["memory.c", "bus_error.c", "atomic.c", "thread.c", "unix.c", "interface.c", "eventfd.c"],
  ...["aio.c", "burst.c", "tap.c", "xdp.c", "record.c"],
  ...["privileges.c", "keeper.c", "server_start.c"],
];

/** The compiler's flags on a machine. */
export function flagsFor(arch: string): string[] {
  return [
    ...["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"],
    ...["-fvisibility=hidden", ...(arch === "x86_64" ? ["-mprfchw"] : [])],
  ];
}

/** The compiler's flags on this machine. */
export const FLAGS: readonly string[] = flagsFor(Deno.build.arch);

const folder = new URL("./", import.meta.url);
const target = new URL("../.cache/shim/", import.meta.url);
const library = new URL("libculvert.so", target);
const stamp = new URL("libculvert.hash", target);

/** A hash of what the library depends on: sources, flags and machine. */
async function wanted(): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([FLAGS, Deno.build.target]));
  for (const name of [...HEADERS, ...SOURCES]) {
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

/** Compile all sources into one library. */
async function compile(library: string, arch: string, more: readonly string[]): Promise<void> {
  const compiler = arch === Deno.build.arch ? "cc" : `${arch}-linux-gnu-gcc`;
  const sources = SOURCES.map((name) => fileURLToPath(new URL(name, folder)));
  let result;
  try {
    result = await new Deno.Command(compiler, {
      args: [...flagsFor(arch), ...more, "-o", library, ...sources],
    })
      .output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const packages = compiler === "cc" ? "gcc libc6-dev" : `gcc-${arch}-linux-gnu`;
    console.error(
      `Cannot build the shim as there is no C compiler \`${compiler}\` in PATH: install one, on ` +
        `Debian with\n  apt-get install --no-install-recommends ${packages}`,
    );
    Deno.exit(1);
  }
  if (!result.success) {
    console.error(`Cannot build the shim as ${compiler} refused it:`);
    console.error(new TextDecoder().decode(result.stderr));
    Deno.exit(1);
  }
}

/**
 * Compile to a new file and rename it, so that a running forwarder keeps the file it has mapped.
 */
async function build(library: string, arch: string, more: readonly string[] = []): Promise<void> {
  const fresh = `${library}.${Deno.pid}`;
  await Deno.mkdir(dirname(library), { recursive: true });
  await compile(fresh, arch, more);
  await Deno.rename(fresh, library);
}

if (import.meta.main) {
  const [file, arch = Deno.build.arch, ...more] = Deno.args;
  if (file !== undefined) {
    await build(file, arch, more);
    console.error(`Built the shim: ${file}`);
  } else {
    const hash = await wanted();
    if (!await isBuilt(hash)) {
      await build(fileURLToPath(library), arch);
      await Deno.writeTextFile(stamp, hash);
    }
  }
}
