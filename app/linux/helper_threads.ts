import { ShimError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { readKernelFile } from "./kernel_file.ts";

/** V8 starts its helper threads first of all, so that their ids follow that of the process. */
const NEXT_IDS = 64;

/**
 * The ids of V8's helper threads, which compile and collect garbage.
 *
 * @param process The id of this process.
 */
function helperThreads(process: number): number[] {
  return Array.from({ length: NEXT_IDS }, (_, i) => process + 1 + i).filter((thread) => {
    try {
      return readKernelFile(`/proc/self/task/${thread}/comm`).startsWith("V8 ");
    } catch (error) {
      if (error instanceof ShimError) return false; // no thread of ours has that id
      throw error;
    }
  });
}

/**
 * Keep V8's helper threads from a core, if they may run on others. An lcore wakes them on its own
 * core, and they may take that from it until the next tick of the kernel's clock, for 4 ms.
 *
 * @returns their ids.
 */
export function keepHelpersFrom(core: number): number[] {
  const threads = helperThreads(Deno.pid);
  for (const thread of threads) shim.shim_thread_avoid(thread, core); // refused for the last one
  return threads;
}
