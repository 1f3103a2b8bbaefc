/**
 * Processes and files, by what the kernel says of them.
 *
 * @module
 */
import { Peer } from "../../app/ivshmem/peer.ts";
import { socketPath } from "../../app/memory/region_name.ts";
import { until } from "./wait.ts";

/** Whether a path is there; a symbolic link counts, wherever it leads. */
export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Whether a process is there, as a zombie too. */
export function isThere(pid: number): boolean {
  return exists(`/proc/${pid}`);
}

/** All processes. */
function pids(): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => pid > 0);
}

/** A file of a process in /proc; empty if the process has just ended. */
function read(pid: number, file: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/${file}`);
  } catch {
    return "";
  }
}

/** The words of a process's command line; none if it has ended. */
export function commandOf(pid: number): string[] {
  return read(pid, "cmdline").split("\0");
}

/** The processes whose command lines contain `text`. */
export function processesNaming(text: string): number[] {
  return pids().filter((pid) => read(pid, "cmdline").includes(text));
}

/** The processes that have `variable`, as `NAME=value`, in their environment. */
export function processesFrom(variable: string): number[] {
  return pids().filter((pid) => read(pid, "environ").split("\0").includes(variable));
}

/** The QEMUs whose command lines contain `text`. */
export function qemusNaming(text: string): number[] {
  return processesNaming(text).filter((pid) => read(pid, "cmdline").startsWith("qemu-system"));
}

/** What /proc/PID/stat says of a process; undefined if it has ended. */
export function statOf(
  pid: number,
): { name: string; state: string; parent: number; session: number } | undefined {
  const fields = /^\d+ \((.*)\) (\S) (\d+) \d+ (\d+)/.exec(read(pid, "stat"));
  if (!fields) return undefined;
  const [, name, state, parent, session] = fields;
  return { name, state, parent: Number(parent), session: Number(session) };
}

/** The processes that `pid` has started and that have not been waited for, by name. */
export function childrenOf(pid: number): { pid: number; name: string }[] {
  return pids().flatMap((child) => {
    const found = statOf(child);
    return found?.parent === pid ? [{ pid: child, name: found.name }] : [];
  });
}

/** Processes that have ended, and that none of `parents` has waited for. */
export function zombiesOf(parents: readonly number[]): number[] {
  return pids().filter((pid) => {
    const found = statOf(pid);
    return found?.state === "Z" && parents.includes(found.parent);
  });
}

/** Milliseconds of processor time that all threads of a process have used. */
export function cpuMilliseconds(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/task`)].reduce((sum, { name }) => {
    const [nanoseconds] = read(pid, `task/${name}/schedstat`).split(" ");
    return sum + Number(nanoseconds) / 1e6;
  }, 0);
}

/** How many descriptors a process has open. */
export function descriptorsOf(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

/** Stop a process from running until SIGCONT. */
export async function freeze(pid: number): Promise<void> {
  Deno.kill(pid, "SIGSTOP");
  await until(() => statOf(pid)?.state === "T", `process ${pid} stops`);
}

/** The process that listens at the socket of a region, which this joins; undefined if none does. */
export function serverOf(region: string): number | undefined {
  const peer = Peer.connect(socketPath(region));
  peer?.close();
  return peer?.server.pid;
}
