import { ShimError } from "../../ffi/error.ts";
import { readKernelFile } from "./kernel_file.ts";

/** A process, as /proc tells of it. */
export interface Process {
  /** Its id. */
  readonly pid: number;
  /** Its parent's id. */
  readonly parent: number;
  /** When it was started, in clock ticks since boot: with the id it names one process for good. */
  readonly start: string;
  /** Its command line. */
  readonly words: readonly string[];
}

/** Tells of the process with an id; undefined if there is none, or it may not be seen. */
export type FindProcess = (pid: number) => Process | undefined;

/** What /proc tells of a process; undefined if there is none, or it is a zombie. */
export function findProcess(pid: number): Process | undefined {
  try {
    const stat = readKernelFile(`/proc/${pid}/stat`);
    const [state, parent, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (state === "Z" || state === "X") return undefined;
    const words = readKernelFile(`/proc/${pid}/cmdline`).split("\0").filter((word) => word !== "");
    return { pid, parent: Number(parent), start: rest[17], words };
  } catch (error) {
    if (error instanceof ShimError) return undefined;
    throw error;
  }
}

/**
 * The programs that have started this one and wait for it to end: `deno task`, and the npx or npm
 * that runs that. If one of them is killed, nobody hears of this program any more, and nobody stops
 * it.
 *
 * A shell is none of them, unless npm made it: it may end, and what it has started goes on.
 */
export class Launcher {
  private constructor(
    private readonly task: Process,
    private readonly above: readonly Process[],
    private readonly parent: () => number,
    private readonly find: FindProcess,
  ) {}

  /**
   * The launcher of a process; undefined if it has none.
   *
   * @param parent Tells the id of its parent now.
   */
  static of(parent: () => number, find: FindProcess = findProcess): Launcher | undefined {
    const task = find(parent());
    if (!task || nameOf(task) !== "deno" || task.words[1] !== "task") return undefined;
    const above: Process[] = [];
    const first = find(task.parent);
    if (first && isNpm(first)) above.push(first);
    if (first && isShell(first)) {
      const npm = find(first.parent);
      if (npm && isNpm(npm)) above.push(first, npm);
    }
    return new Launcher(task, above, parent, find);
  }

  /**
   * The program that has ended, as its command line; undefined while all are there. A process that
   * cannot be seen any more, as another user's under `hidepid`, is taken to be there.
   */
  get gone(): string | undefined {
    if (this.parent() !== this.task.pid) return textOf(this.task);
    if (!this.find(this.task.pid)) return undefined;
    const gone = this.above.find(({ pid, start }) => this.find(pid)?.start !== start);
    return gone && textOf(gone);
  }
}

function textOf({ words }: Process): string {
  return words.join(" ").split(" ").slice(0, 4).join(" ");
}

function nameOf({ words: [program = ""] }: Process): string {
  return program.split("/").at(-1)!;
}

function isShell(process: Process): boolean {
  return /^(sh|dash|bash)$/.test(nameOf(process));
}

/** npm and npx are scripts of node's, and call themselves `npm exec ...`. */
function isNpm({ words }: Process): boolean {
  return /^(npm|npx)\b|(^|\/)node .*\bnp[mx](-cli\.js)?\b/.test(words.join(" "));
}
