/**
 * Runs QEMU in the foreground and learns from the console how the guest command ended.
 *
 * @module
 */

import { parseExitStatus } from "./init.ts";
import { missingTool } from "./tools.ts";

/** How {@linkcode runQemu} runs it. */
export interface RunOptions {
  /** Called with each piece of console output; it goes to standard output if left out. */
  console?: (piece: Uint8Array) => Promise<unknown>;
  /** Ends QEMU when aborted. */
  signal?: AbortSignal;
}

/** The console's last characters that are searched for the exit line: it is printed last. */
const TAIL_CHARACTERS = 4096;

/**
 * Runs QEMU with the console on standard output and input; SIGINT and SIGTERM go on to QEMU, which
 * ends the VM.
 *
 * @param program QEMU's name or path.
 * @param args Arguments as from `qemuArguments`.
 * @returns The guest command's exit status. If the guest did not report one: QEMU's own, or 1 if
 * that is 0. After a signal 130 (SIGINT) or 143 (SIGTERM), as shells say it.
 * @throws {CulvertError} If QEMU is not installed.
 */
export async function runQemu(
  program: string,
  args: string[],
  options: RunOptions = {},
): Promise<number> {
  const console = options.console ?? writeOut;
  const child = spawn(program, args, options.signal);
  let received: Deno.Signal | undefined;
  const forward = (["SIGINT", "SIGTERM"] as const).map((signal) => {
    const send = () => {
      received = signal;
      kill(child, signal);
    };
    Deno.addSignalListener(signal, send);
    return () => Deno.removeSignalListener(signal, send);
  });
  try {
    let tail = "";
    const decoder = new TextDecoder();
    for await (const piece of child.stdout) {
      await console(piece);
      tail = (tail + decoder.decode(piece, { stream: true })).slice(-TAIL_CHARACTERS);
    }
    const { code } = await child.status;
    if (received) return received === "SIGINT" ? 130 : 143;
    return parseExitStatus(tail) ?? (code || 1);
  } finally {
    for (const stop of forward) stop();
  }
}

function spawn(program: string, args: string[], signal?: AbortSignal): Deno.ChildProcess {
  const io = { stdin: "inherit", stdout: "piped", stderr: "inherit" } as const;
  try {
    return new Deno.Command(program, { args, signal, ...io }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw missingTool(program);
    throw error;
  }
}

/** Sends a signal to QEMU, which may just have ended by itself. */
function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function writeOut(piece: Uint8Array): Promise<void> {
  for (let at = 0; at < piece.length;) at += await Deno.stdout.write(piece.subarray(at));
}
