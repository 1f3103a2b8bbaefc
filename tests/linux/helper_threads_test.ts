import { deepEqual, ok } from "node:assert/strict";
import { usableCores } from "../../app/linux/core_list.ts";
import { parseCpuList } from "../../app/linux/cpu_layout.ts";
import { keepHelpersFrom } from "../../app/linux/helper_threads.ts";
import { readKernelFile } from "../../app/linux/kernel_file.ts";

/** The last that the shim knows; no machine here has so many. */
const NO_CORE = 1023;

const CORES = usableCores();

/** Where a thread of this process may run. */
function coresOf(thread: number): number[] {
  const status = readKernelFile(`/proc/self/task/${thread}/status`);
  return parseCpuList(/^Cpus_allowed_list:\s+(.*)$/m.exec(status)![1]);
}

Deno.test("keepHelpersFrom() keeps V8 from a core, but not from the last that it has", () => {
  const threads = keepHelpersFrom(NO_CORE);
  ok(threads.length > 0, "no thread of V8 was found");
  for (const core of CORES) {
    const had = threads.map(coresOf); // tests of lcores in this process have kept them from some
    deepEqual(keepHelpersFrom(core), threads);
    const left = had.map((cores) => cores.length > 1 ? cores.filter((one) => one !== core) : cores);
    deepEqual(threads.map(coresOf), left);
  }
  deepEqual(usableCores(), CORES, "ours have changed");
});
