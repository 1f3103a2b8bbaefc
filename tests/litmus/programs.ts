import { fileURLToPath } from "node:url";
import { CulvertError } from "../../ffi/error.ts";
import type { Folder } from "../ffi/folder.ts";

/** A change of the shim's sources by which a program must notice that something is missing. */
export interface Mutation {
  /** The function that is changed, or the file if the change is outside of functions. */
  readonly in: string;
  /** What is replaced, wherever it is found there. */
  readonly from: string;
  /** What by. */
  readonly to: string;
}

/** How a program is compiled. */
export interface Build {
  /** A C file in this folder, without `.c`. */
  readonly program: string;
  /** What watches it: nothing, if outcomes are counted that a sanitizer's slowness would hide. */
  readonly sanitizer?: "thread" | "address";
  /** Ordering edges that are taken away, and other macros. */
  readonly defines?: readonly string[];
  /** What is changed in the shim. */
  readonly mutation?: Mutation;
}

/** How a program ended. */
export interface Ending {
  /** 0: nothing was wrong. */
  readonly code: number;
  /** What it and its sanitizer said. */
  readonly text: string;
}

const HERE = new URL("./", import.meta.url);
const SHIM = new URL("../../shim/", import.meta.url);

const FLAGS = ["-std=gnu11", "-g", "-Wall", "-Wextra", "-Werror", "-pthread"]
  .concat(Deno.build.arch === "x86_64" ? ["-mprfchw"] : []);

const SANITIZERS = {
  thread: ["-O1", "-fsanitize=thread"],
  address: ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
};

const ENVIRONMENT = {
  TSAN_OPTIONS: "halt_on_error=1 exitcode=66",
  ASAN_OPTIONS: "exitcode=67 allocator_may_return_null=1",
  UBSAN_OPTIONS: "print_stacktrace=1",
};

/** Some programs, started one after the other; a longer one is stopped. */
const PATIENCE_MS = 600_000;

async function output(program: string, args: readonly string[], cwd?: string): Promise<Ending> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const command = new Deno.Command(program, { args: [...args], cwd, env: ENVIRONMENT, signal });
  const { code, stdout, stderr } = await command.output().catch((error) => {
    throw new CulvertError(
      `Cannot run ${program} as it does not start (${error.message}): ` +
        `apt-get install -y --no-install-recommends clang libclang-rt-14-dev libc6-dev util-linux`,
    );
  });
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stderr) + decoder.decode(stdout) };
}

/** The text of `file` with its mutation, if it is there. */
function mutate(file: string, text: string, { in: place, from, to }: Mutation): string {
  const start = place === file ? 0 : text.search(new RegExp(`\\b${place}\\([^;]*?\\{`));
  if (start < 0) return text;
  const end = place === file ? text.length : text.indexOf("\n}\n", start) + 1 ||
    text.length;
  return text.slice(0, start) + text.slice(start, end).replaceAll(from, to) + text.slice(end);
}

/**
 * Compile a program with the shim, in a folder of its own.
 *
 * @returns its path.
 * @throws {CulvertError} if clang is missing or refuses it, or the mutation changes nothing.
 */
export async function compile(folder: Folder, build: Build): Promise<string> {
  const place = Deno.makeTempDirSync({ dir: folder.path });
  const sources = [`${fileURLToPath(HERE)}${build.program}.c`];
  let isMutated = build.mutation === undefined;
  for (const { name } of Deno.readDirSync(SHIM)) {
    if (!/\.[ch]$/.test(name)) continue;
    const text = Deno.readTextFileSync(new URL(name, SHIM));
    const mutated = build.mutation ? mutate(name, text, build.mutation) : text;
    isMutated ||= mutated !== text;
    Deno.writeTextFileSync(`${place}/${name}`, mutated);
    if (name.endsWith(".c")) sources.push(`${place}/${name}`);
  }
  if (!isMutated) {
    const { in: where, from } = build.mutation!;
    throw new CulvertError(`Cannot change ${where} as it has no ${from}: adapt the mutation`);
  }
  const path = `${place}/${build.program}`;
  const flags = [...FLAGS, ...(build.sanitizer ? SANITIZERS[build.sanitizer] : ["-O2"])];
  const defines = (build.defines ?? []).map((macro) => `-D${macro}`);
  const { code, text } = await output("clang", [
    ...flags,
    ...defines,
    `-I${place}`,
    "-o",
    path,
    ...sources,
  ]);
  if (code === 0) return path;
  throw new CulvertError(`Cannot compile ${build.program}.c as clang refused it:\n${text}`);
}

/**
 * Run a program that {@linkcode compile} made, in its folder. Addresses are not randomized: sanitizers
 * refuse what newer kernels make of that.
 */
export function run(path: string, ...args: (string | number)[]): Promise<Ending> {
  const words = ["-R", path, ...args.map(String)];
  return output("setarch", words, path.slice(0, path.lastIndexOf("/")));
}
