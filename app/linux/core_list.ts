import { UsageError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";

/** Cores that this process may run on, lowest first. */
export function usableCores(): number[] {
  const cores = [];
  for (let core = 0; core < 1024; core++) {
    if (shim.shim_thread_may_run_on(core) === 1) cores.push(core);
  }
  return cores;
}

/**
 * Read a core list as DPDK's `-l`: `0,2-4`.
 *
 * @throws {UsageError} if it is none, or names a core that is not there.
 */
export function parseCoreList(text: string): number[] {
  const cores: number[] = [];
  for (const part of text.split(",")) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
    if (!match || Number(match[2] ?? match[1]) < Number(match[1])) {
      throw new UsageError(`Cannot use -l ${text} as "${part}" is no core: write 0 or 0,1 or 2-5`);
    }
    const first = Number(match[1]);
    const last = Number(match[2] ?? first);
    for (let core = first; core <= Math.min(last, 1023); core++) cores.push(core);
    if (last > 1023) cores.push(last);
  }
  const usable = usableCores();
  const absent = cores.find((core) => !usable.includes(core));
  if (absent !== undefined) {
    throw new UsageError(
      `Cannot use -l ${text} as core ${absent} does not exist or is not ours: ` +
        `cores ${usable.join(",")} are`,
    );
  }
  if (new Set(cores).size !== cores.length) {
    throw new UsageError(`Cannot use -l ${text} as a core is named twice: name each once`);
  }
  return cores;
}
