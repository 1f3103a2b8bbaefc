import { fileURLToPath } from "node:url";
/** Where and with what a run was made. */
export interface Machine {
  /** Date of the run, as 2026-11-24. */
  readonly date: string;
  /** Our commit; with `+` behind it if files differ from it. */
  readonly commit: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB?: number;
  readonly kernel: string;
  readonly deno: string;
  /** DPDK's version, if it is installed. */
  readonly dpdk?: string;
  /** What the run was told: `--quick`, `--against DIR`. */
  readonly arguments: string;
  /** What a reader of its figures has to know. */
  readonly note?: string;
}

/** Describe this machine and this checkout. */
export async function describeMachine(
  commandLine: readonly string[],
  note?: string,
): Promise<Machine> {
  const cpu = await Deno.readTextFile("/proc/cpuinfo");
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: await commitOf(fileURLToPath(new URL("..", import.meta.url))),
    processor: /^model name\s*:\s*(.*)$/m.exec(cpu)?.[1] ?? Deno.build.arch,
    cores: navigator.hardwareConcurrency,
    memoryGiB: Math.round(Deno.systemMemoryInfo().total / 2 ** 30),
    kernel: Deno.osRelease(),
    deno: Deno.version.deno,
    dpdk: await output("pkg-config", "--modversion", "libdpdk"),
    arguments: commandLine.join(" "),
    note,
  };
}

/** The commit of a checkout; `unknown` if it is none. */
export async function commitOf(directory: string): Promise<string> {
  return await output("git", "-C", directory, "describe", "--always", "--dirty=+") ?? "unknown";
}

/** What a run was made on, with and from: a few lines. */
export function machineLines(machine: Machine): string[] {
  const { processor, cores, memoryGiB, kernel, deno, dpdk, commit, date } = machine;
  const memory = memoryGiB === undefined ? [] : [`${memoryGiB} GiB`];
  const versions = [`Linux ${kernel}`, `Deno ${deno}`, ...dpdk ? [`DPDK ${dpdk}`] : []];
  return [
    [processor, `${cores} cores`, ...memory].join(", "),
    versions.join(", "),
    `commit ${commit}, ${date}`,
    ...machine.note ? [machine.note] : [],
  ];
}

async function output(program: string, ...args: string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(program, { args, stderr: "null" }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
