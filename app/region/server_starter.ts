import type { Account } from "../linux/owner.ts";
import { denoArguments, SERVER_CWD } from "./start_server.ts";

/**
 * A shell that keeps the memory open as descriptor 3, says so, and starts a server of it whenever a line comes
 * in: the first peer id to give. It forks twice, so that the server is nobody's child when it ends; it ends with
 * its stdin, at the latest when we do.
 */
const SCRIPT = `exec 3<>"/proc/$PPID/fd/$1" || exit 1
echo ready
exec >/dev/null
shift
while read -r first; do ("$@" --first-id "$first" &); done`;

/** Milliseconds in which a shell must have begun: the machine may be busy. */
const READY_MS = 10_000;

/** What is to be served if the server is gone. */
export interface Replacement {
  /** Path of the socket. */
  readonly socket: string;
  /** The memory; may be closed once {@linkcode ServerStarter.prepare} has done its work. */
  readonly memoryFd: number;
  /** Its size. */
  readonly bytes: number;
  /** Interrupt vectors of each peer. */
  readonly vectors: number;
  /** Whose server it is. */
  readonly account: Account;
}

/**
 * Can start a server of the same memory in the place of one that is gone, long after this process has
 * given up the right to run programs.
 */
export class ServerStarter {
  readonly #lines: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(child: Deno.ChildProcess) {
    this.#lines = child.stdin.getWriter();
    child.unref();
  }

  /** Make ready; undefined if we may run no programs, or the shell does not come to it. */
  static async prepare(replacement: Replacement): Promise<ServerStarter | undefined> {
    if (Deno.permissions.querySync({ name: "run" }).state !== "granted") return undefined;
    const { socket, memoryFd, bytes, vectors, account } = replacement;
    const server = denoArguments({
      socket,
      memory: { kind: "inherited", fd: 3 },
      bytes,
      vectors,
      untilUnused: true,
      account,
    });
    const child = new Deno.Command("sh", {
      args: ["-c", SCRIPT, "sh", `${memoryFd}`, Deno.execPath(), ...server],
      cwd: SERVER_CWD,
      detached: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const starter = new ServerStarter(child);
    if (await isReady(child)) return starter;
    starter.close();
    return undefined;
  }

  /** Start a server; it is there some 0.3 s later, unless another one is. */
  start(firstId: number): void {
    this.#lines.write(new TextEncoder().encode(`${firstId}\n`)).catch(() => {});
  }

  /** Start none any more. */
  close(): void {
    this.#lines.close().catch(() => {});
  }
}

/** Whether a shell has opened the memory: it says something then, or ends. */
async function isReady(child: Deno.ChildProcess): Promise<boolean> {
  const reader = child.stdout.getReader();
  const late = setTimeout(() => reader.cancel(), READY_MS); // then the read ends, too
  try {
    return !(await reader.read()).done;
  } finally {
    clearTimeout(late);
    await reader.cancel();
  }
}
