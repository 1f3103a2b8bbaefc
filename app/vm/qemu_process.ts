/**
 * A QEMU that does not outlive us.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { missingTool } from "./tools.ts";

/** Starts a watcher ($0), which reads descriptor 3, a pipe from us; then becomes QEMU. */
const WATCHED = `sh -c "$0" culvert-watch $$ <&3 3<&- >/dev/null 2>&1 & exec 3<&-; exec "$@"`;

/**
 * The watcher. A line in the pipe says that QEMU has ended; the pipe's end says that we are gone,
 * by `kill -9` perhaps. Then the watcher ends QEMU ($1), if that is still its parent: by SIGTERM,
 * and a second later by SIGKILL.
 */
const WATCHER = `
is_there() {
  read -r _ _ _ parent _ < /proc/self/stat
  [ "$parent" = "$qemu" ]
}
qemu=$1
read -r _ && exit
is_there && kill "$qemu"
for tenth in 1 2 3 4 5 6 7 8 9 10; do
  is_there || exit
  sleep 0.1
done
kill -9 "$qemu"
`;

const WATCH_FD = 3;

/** How {@linkcode QemuProcess} starts. */
export interface ProcessOptions {
  /** Whether its standard input is ours, rather than empty. */
  readonly hasInput: boolean;
  /** Whether its messages are read by us ({@linkcode QemuProcess.messages}), rather than shown. */
  readonly readsMessages: boolean;
}

/** A running QEMU, or a program that becomes QEMU, such as `taskset`. */
export class QemuProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;

  /**
   * Start it.
   *
   * @throws {CulvertError} If the program is not installed.
   */
  constructor(program: string, args: readonly string[], options: ProcessOptions) {
    if (!isThere(program)) throw missingTool(program);
    this.#child = spawn("sh", ["-c", WATCHED, WATCHER, program, ...args], {
      stdio: [
        options.hasInput ? "inherit" : "ignore",
        "pipe",
        options.readsMessages ? "pipe" : "inherit",
        "pipe",
      ],
    });
    this.#ended = new Promise((resolve) => {
      this.#child.on("exit", (code) => {
        (this.#child.stdio[WATCH_FD] as Writable).end("\n");
        resolve(code ?? 1);
      });
    });
  }

  /** The guest's console. */
  get console(): Readable {
    return this.#child.stdout!;
  }

  /** What QEMU itself says; undefined unless that is read. */
  get messages(): Readable | undefined {
    return this.#child.stderr ?? undefined;
  }

  /** Send a signal, unless it has ended. */
  signal(name: "SIGINT" | "SIGTERM"): void {
    this.#child.kill(name);
  }

  /** Its exit status, 1 if a signal ended it; once it has ended. */
  get ended(): Promise<number> {
    return this.#ended;
  }
}

/** Whether a program can be found: by its path, or in `PATH`. */
function isThere(program: string): boolean {
  const folders = program.includes("/") ? [""] : (Deno.env.get("PATH") ?? "").split(":");
  return folders.some((folder) => {
    try {
      return Deno.statSync(folder ? `${folder}/${program}` : program).isFile;
    } catch {
      return false;
    }
  });
}
