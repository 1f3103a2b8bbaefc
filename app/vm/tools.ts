/**
 * Runs the programs that the VM part leans on (apt-get, dpkg, lz4, busybox, ldd), and says which
 * Debian package brings a missing one.
 *
 * @module
 */

import { CulvertError } from "../../ffi/error.ts";

/** Receives one line of progress, without a newline. Meant for stderr. */
export type Log = (line: string) => void;

/** The Debian package that holds each program used here. */
const PACKAGE_OF: Record<string, string> = {
  "apt-cache": "apt",
  "apt-get": "apt",
  "busybox": "busybox-static",
  "dpkg": "dpkg",
  "ldd": "libc-bin",
  "lz4": "lz4",
  "qemu-system-x86_64": "qemu-system-x86",
  "taskset": "util-linux",
  "xz": "xz-utils",
  "zstd": "zstd",
};

/** How {@linkcode runTool} runs a program. */
export interface ToolOptions {
  /** Working directory; the caller's own if left out. */
  cwd?: string;
  /** Chunks for the program's standard input; empty if left out. */
  input?: Iterable<Uint8Array>;
}

/**
 * The error for a program that is not installed, naming the package and the command that installs
 * it.
 */
export function missingTool(tool: string): Error {
  const name = tool.slice(tool.lastIndexOf("/") + 1);
  const fix = name in PACKAGE_OF
    ? `run "apt-get install ${PACKAGE_OF[name]}"`
    : "install it or correct its path";
  return new CulvertError(`Cannot run ${tool} as it is not installed: ${fix}`);
}

/**
 * Runs a program to its end and returns what it wrote to standard output.
 *
 * @param tool Program name, looked up in `PATH`, or a path.
 * @throws {CulvertError} If the program is missing (with the `apt-get` command that installs it) or
 * fails (with its stderr).
 */
export async function runTool(
  tool: string,
  args: string[],
  options: ToolOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const child = spawn(tool, args, options);
  const fed = feed(child, options.input);
  const { success, code, stdout, stderr } = await child.output();
  if (!success) {
    const said = new TextDecoder().decode(stderr).trim() || "it says nothing on stderr";
    throw new CulvertError(
      `Cannot run "${tool} ${args.join(" ")}" as it ends with ${code}: ${said}`,
    );
  }
  await fed;
  return stdout;
}

/** Like {@linkcode runTool}, but decodes standard output as UTF-8. */
export async function runToolForText(
  tool: string,
  args: string[],
  options: ToolOptions = {},
): Promise<string> {
  return new TextDecoder().decode(await runTool(tool, args, options));
}

function spawn(tool: string, args: string[], options: ToolOptions): Deno.ChildProcess {
  try {
    return new Deno.Command(tool, {
      args,
      cwd: options.cwd,
      env: { LC_ALL: "C" },
      stdin: options.input ? "piped" : "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw missingTool(tool);
    throw error;
  }
}

/**
 * Writes the input; a program that stops reading early is reported by its exit status, not here.
 */
async function feed(child: Deno.ChildProcess, input?: Iterable<Uint8Array>): Promise<void> {
  if (!input) return;
  const writer = child.stdin.getWriter();
  try {
    for (const chunk of input) await writer.write(chunk);
    await writer.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
