/** A program with a thread that never returns, as a guest's function may be. */
import { stopSignal } from "../../app/cli/stop_signal.ts";
import { stderr } from "../../app/linux/output.ts";

if ("WorkerGlobalScope" in globalThis) {
  for (;;);
} else {
  new Worker(import.meta.url, { type: "module" });
  const signal = stopSignal((line) => stderr.line(line), { deadlineMs: 500 });
  signal.addEventListener("abort", () => console.log("asked to end"));
  console.log("runs");
}
