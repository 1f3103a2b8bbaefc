/**
 * Runs QEMUs in the foreground and learns from their consoles how the guest commands ended.
 *
 * @module
 */

import { parseExitStatus } from "./init.ts";
import type { Launch } from "./launch.ts";
import { QemuProcess } from "./qemu_process.ts";

/** The console's last characters that are searched for the exit line: it is printed last. */
const TAIL_CHARACTERS = 4096;

const SIGNALS = ["SIGINT", "SIGTERM"] as const;
type Signal = typeof SIGNALS[number];

/** The exit status that a shell reports of a command that a signal has ended. */
const STATUS_OF: Readonly<Record<Signal, number>> = { SIGINT: 130, SIGTERM: 143 };

/**
 * Run VMs until all have ended. SIGINT and SIGTERM are passed on to each QEMU, which ends its VM.
 * In whatever way this program ends, its QEMUs end too: one that went on would keep the region's
 * memory in use.
 *
 * One VM has its console on standard output and input. The consoles of several are shown line by
 * line, with the guest's number in front, and they have no input.
 *
 * @returns The guest command's exit status. If the guest did not report one: QEMU's own, or 1 if
 * that is 0. The highest of several. After a signal 130 (SIGINT) or 143 (SIGTERM).
 * @throws {CulvertError} If QEMU is not installed.
 */
export async function runLaunches(
  launches: readonly Pick<Launch, "guest" | "program" | "args">[],
): Promise<number> {
  const isOne = launches.length === 1;
  const options = { hasInput: isOne, readsMessages: !isOne };
  const processes = launches.map(({ program, args }) => new QemuProcess(program, args, options));
  let received: Signal | undefined;
  const listeners = SIGNALS.map((name) => {
    const send = () => {
      received = name;
      for (const process of processes) process.signal(name);
    };
    Deno.addSignalListener(name, send);
    return () => Deno.removeSignalListener(name, send);
  });
  try {
    const statuses = await Promise.all(processes.map((process, i) => {
      return follow(process, isOne ? undefined : `[${launches[i].guest}] `);
    }));
    return received ? STATUS_OF[received] : Math.max(...statuses);
  } finally {
    for (const remove of listeners) remove();
  }
}

/** Show what a VM says until it ends; returns its status. */
async function follow(process: QemuProcess, prefix: string | undefined): Promise<number> {
  if (prefix !== undefined) {
    const [tail] = await Promise.all([
      showLines(process.console, prefix, Deno.stdout),
      showLines(process.messages!, prefix, Deno.stderr),
    ]);
    return statusOf(tail, await process.ended);
  }
  let tail = "";
  const decoder = new TextDecoder();
  for await (const piece of process.console as AsyncIterable<Uint8Array>) {
    await writeAll(Deno.stdout, piece);
    tail = (tail + decoder.decode(piece, { stream: true })).slice(-TAIL_CHARACTERS);
  }
  return statusOf(tail, await process.ended);
}

function statusOf(tail: string, code: number): number {
  return parseExitStatus(tail) ?? (code || 1);
}

/**
 * Copy text line by line, each behind `prefix`; the last one may lack its end.
 *
 * @returns the last characters of what was copied, without prefixes.
 */
export async function showLines(
  from: AsyncIterable<Uint8Array>,
  prefix: string,
  to: { write(bytes: Uint8Array): Promise<number> },
): Promise<string> {
  const decoder = new TextDecoder(), encoder = new TextEncoder();
  let tail = "", begun = "";
  for await (const piece of from) {
    const text = decoder.decode(piece, { stream: true });
    tail = (tail + text).slice(-TAIL_CHARACTERS);
    const lines = (begun + text).split("\n");
    begun = lines.pop()!;
    const shown = lines.map((line) => `${prefix}${line}\n`).join("");
    await writeAll(to, encoder.encode(shown));
  }
  if (begun !== "") await writeAll(to, encoder.encode(`${prefix}${begun}\n`));
  return tail;
}

async function writeAll(
  to: { write(bytes: Uint8Array): Promise<number> },
  bytes: Uint8Array,
): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}
