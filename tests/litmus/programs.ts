import { fileURLToPath } from "node:url";
import { CulvertError } from "../../ffi/error.ts";
import type { Folder } from "../ffi/folder.ts";

/** A change of the shim's sources. */
export interface Mutation {
  /** The function that changes, or the file if the change is outside of functions. */
  readonly in: string;
  /** What is replaced, wherever it is found there. */
  readonly from: string;
  readonly to: string;
}

/** How a program is compiled. */
export interface Build {
  /** A C file in this folder, without `.c`. */
  readonly program: string;
  /** Undefined for programs that count outcomes: a sanitizer's slowness would hide these. */
  readonly sanitizer?: "thread" | "address";
  readonly mutation?: Mutation;
}

/** How a program ended. */
export interface Ending {
  /** 0: nothing was wrong. */
  readonly code: number;
  /** What the program and its sanitizer printed. */
  readonly text: string;
}

const HERE = new URL("./", import.meta.url);
const SHIM = new URL("../../shim/", import.meta.url);

const FLAGS = ["-std=gnu11", "-D_GNU_SOURCE=", "-g", "-Wall", "-Wextra", "-Werror", "-pthread"]
  .concat(Deno.build.arch === "x86_64" ? ["-mprfchw"] : []);

const SANITIZERS = {
  thread: ["-O1", "-fsanitize=thread"],
  address: ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
};

const ENVIRONMENT = {
  // The longest history: a race with a thread that has done much since is not reported otherwise.
  TSAN_OPTIONS: "halt_on_error=1 exitcode=66 history_size=7",
  ASAN_OPTIONS: "exitcode=67 allocator_may_return_null=1",
  UBSAN_OPTIONS: "print_stacktrace=1",
};

/** Milliseconds after which a program is stopped. */
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

/** The text of `file` with a mutation, if its place is there. */
function mutate(file: string, text: string, { in: place, from, to }: Mutation): string {
  const start = place === file ? 0 : text.search(new RegExp(`\\b${place}\\([^;]*?\\{`));
  if (start < 0) return text;
  const end = place === file ? text.length : text.indexOf("\n}\n", start) + 1 || text.length;
  return text.slice(0, start) + text.slice(start, end).replaceAll(from, to) + text.slice(end);
}

/**
 * The shim's sources, by name, with a mutation if there is one.
 *
 * @throws {CulvertError} if the mutation changes nothing.
 */
export function shimSources(mutation?: Mutation): Map<string, string> {
  const sources = new Map<string, string>();
  let isMutated = mutation === undefined;
  for (const { name } of Deno.readDirSync(SHIM)) {
    if (!/\.[ch]$/.test(name)) continue;
    const text = Deno.readTextFileSync(new URL(name, SHIM));
    sources.set(name, mutation ? mutate(name, text, mutation) : text);
    isMutated ||= sources.get(name) !== text;
  }
  if (isMutated) return sources;
  throw new CulvertError(
    `Cannot change ${mutation!.in} as it has no ${mutation!.from}: adapt the mutation`,
  );
}

/**
 * Compile a program together with the shim, in a folder of its own.
 *
 * @returns its path.
 * @throws {CulvertError} if clang is missing or refuses it, or the mutation changes nothing.
 */
export async function compile(folder: Folder, build: Build): Promise<string> {
  const place = Deno.makeTempDirSync({ dir: folder.path });
  const path = `${place}/${build.program}`;
  const sources = [`${fileURLToPath(HERE)}${build.program}.c`];
  for (const [name, text] of shimSources(build.mutation)) {
    Deno.writeTextFileSync(`${place}/${name}`, text);
    if (name.endsWith(".c")) sources.push(`${place}/${name}`);
  }
  const optimized = build.sanitizer ? SANITIZERS[build.sanitizer] : ["-O2"];
  const api = ["-include", fileURLToPath(new URL("shim_api.h", HERE))];
  const args = [...FLAGS, ...optimized, `-I${place}`, ...api, "-o", path, ...sources];
  const { code, text } = await output("clang", args);
  if (code === 0) return path;
  throw new CulvertError(`Cannot compile ${build.program}.c as clang refused it:\n${text}`);
}

/**
 * Run a program that {@linkcode compile} made, in its folder. Addresses are not randomized:
 * sanitizers cannot deal with what newer kernels make of that.
 */
export function run(path: string, ...args: (string | number)[]): Promise<Ending> {
  const words = ["-R", path, ...args.map(String)];
  return output("setarch", words, path.slice(0, path.lastIndexOf("/")));
}
