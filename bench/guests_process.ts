/**
 * Several guests whose lcores share one thread: `guests_process.ts REGION GUESTS CORE BURST`, until
 * SIGTERM. Each swaps the MAC addresses of its frames.
 *
 * @module
 */
import { loadFunctions } from "../app/guest/function/load.ts";
import { Guest } from "../app/guest/guest.ts";
import type { GuestOptions } from "../app/guest/guest_options.ts";
import type { GuestThread } from "../app/guest/lcore_run.ts";
import { openRegionLink } from "../app/guest/region_link.ts";
import type { Lcore } from "../app/lcore/lcore.ts";
import type { GuestsOrder } from "./guests_worker.ts";

const STEP_MS = 20;

const [region, guests, core, burst] = Deno.args;
const specs = [{ named: "macswap", set: {} }];
const { functions } = await loadFunctions(specs);
const worker = new Worker(new URL("./guests_worker.ts", import.meta.url), { type: "module" });
worker.postMessage({ guests: Number(guests), core: Number(core), specs } satisfies GuestsOrder);
const ended = new Promise<void>((resolve, reject) => {
  worker.onmessage = () => resolve();
  worker.onerror = ({ message }) => reject(new Error(message));
});

/** What a guest takes for a thread of its own. */
function sharedThread(): GuestThread {
  return {
    core: Number(core),
    ready: Promise.resolve(),
    isReady: () => true,
    run(command, handle) {
      worker.postMessage({ command: command.handle, handle } satisfies GuestsOrder);
      const lcore = { core: Number(core), done: ended, isDone: false, failure: undefined };
      const end = (failure?: Error) => Object.assign(lcore, { isDone: true, failure });
      ended.then(() => end(), end);
      return lcore satisfies Lcore<void>;
    },
    close() {},
  };
}

const running = Array.from({ length: Number(guests) }, (_, guest) => {
  const options: GuestOptions = {
    ...{ source: { region }, guest, cores: [Number(core)], functions: specs, onError: "drop" },
    ...{ isChecked: false, takesPushes: false, statsPeriod: 0, idle: "poll", burst: Number(burst) },
  };
  return new Guest(options, functions, {
    openLink: () => openRegionLink(options.source, console.error),
    regionNames: () => [],
    spawn: sharedThread,
    clock: () => performance.now(),
    log: (line) => console.error(`guest ${guest}: ${line}`),
    wake() {},
  });
});
Deno.addSignalListener("SIGTERM", () => running.forEach((guest) => guest.stop()));
while (running.some(({ isOver }) => !isOver)) {
  for (const guest of running) if (!guest.isOver) guest.step();
  await new Promise((resolve) => setTimeout(resolve, STEP_MS));
}
Deno.exit(0);
