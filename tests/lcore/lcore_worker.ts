import { CulvertError, UsageError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { COMMAND } from "../../app/lcore/command.ts";
import { serveLcore } from "../../app/lcore/lcore.ts";
import { readKernelFile } from "../../app/linux/kernel_file.ts";

/** What the lcore of `lcore_test.ts` is to do. */
export type Errand =
  | { do: "answer"; with: unknown }
  | { do: "tell cores" }
  | { do: "log"; lines: string[] }
  | { do: "wait for stop"; turns: Int32Array<SharedArrayBuffer> }
  | { do: "fail"; how: "CulvertError" | "UsageError" | "TypeError" };

serveLcore<Errand, unknown>((errand, command, log) => {
  switch (errand.do) {
    case "answer":
      return errand.with;
    case "tell cores":
      return /^Cpus_allowed_list:\s+(.*)$/m.exec(readKernelFile("/proc/thread-self/status"))?.[1];
    case "log":
      for (const line of errand.lines) log(line);
      return "logged";
    case "wait for stop": {
      for (const end = shim.shim_clock() + 5e9; command.value !== COMMAND.STOP;) {
        Atomics.add(errand.turns, 0, 1);
        if (shim.shim_clock() > end) throw new Error("nobody said stop");
      }
      return "stopped";
    }
    case "fail":
      if (errand.how === "CulvertError") throw new CulvertError("Cannot go on as it is late");
      if (errand.how === "UsageError") throw new UsageError("Cannot use -x as it is none");
      throw new TypeError("a is not a function");
  }
});
