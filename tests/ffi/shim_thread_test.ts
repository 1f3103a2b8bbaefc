import { deepEqual, equal, ok } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { OpenFiles } from "./open_files.ts";
import { runWorkers } from "./run_workers.ts";

const EINVAL = 22;

/** Milliseconds that a call takes. */
function millisecondsOf(call: () => void): number {
  const start = shim.shim_clock();
  call();
  return (shim.shim_clock() - start) / 1e6;
}

Deno.test("shim_clock() counts nanoseconds and never goes back", () => {
  const start = performance.now();
  const elapsed = millisecondsOf(() => shim.shim_poll(new Int32Array(0), 0, 20_000));
  const around = performance.now() - start;
  ok(elapsed >= 20 && elapsed < around + 1, `${elapsed} ms within ${around}`);
  for (let i = 0, last = 0; i < 10_000; i++) {
    const now = shim.shim_clock();
    ok(now >= last);
    last = now;
  }
});

Deno.test("shim_thread_pin() gives EINVAL for a core that does not exist", () => {
  for (const core of [1023, 1024, 2 ** 31, 2 ** 32 - 1]) equal(shim.shim_thread_pin(core), -EINVAL);
});

Deno.test("shim_thread_may_run_on() is 0 for a core that does not exist", () => {
  for (const core of [1023, 1024, 2 ** 32 - 1]) equal(shim.shim_thread_may_run_on(core), 0);
});

/** What a thread is told that was pinned to a core, and asked for another share of it. */
interface Told {
  readonly pinned: number;
  readonly shared: number;
  readonly allowed?: string;
  readonly slice?: string;
  /** Its nice level before, and then. */
  readonly levels: readonly [number, number];
}

async function ask(core: number): Promise<Told> {
  const url = new URL("./shim_thread_worker.ts", import.meta.url);
  return (await runWorkers<number, Told>(url, [core]))[0];
}

Deno.test("shim_thread_share() gives the calling thread a nice level, and short slices", async () => {
  const core = Array.from({ length: 1023 }, (_, core) => core)
    .find((core) => shim.shim_thread_may_run_on(core) === 1)!;
  const { shared, slice, levels: [before, level] } = await ask(core);
  equal(shared, 0);
  equal(level, Math.min(before + 3, 19));
  if (slice !== undefined) equal(slice, "200000"); // Linux before 6.12 has no such line
});

Deno.test("shim_thread_pin() pins the calling thread and no other", async () => {
  const cores = Array.from({ length: 1023 }, (_, core) => core)
    .filter((core) => shim.shim_thread_may_run_on(core) === 1);
  ok(cores.length > 0);
  const core = cores.at(-1)!;
  const { pinned, allowed } = await ask(core);
  deepEqual({ pinned, allowed }, { pinned: 0, allowed: `${core}` });
  for (const other of cores) equal(shim.shim_thread_may_run_on(other), 1);
});

Deno.test("shim_poll() sleeps as long as told when nothing comes", () => {
  using files = new OpenFiles();
  const fds = new Int32Array([files.add(shim.shim_eventfd())]);
  let ready = -1;
  const elapsed = millisecondsOf(() => ready = shim.shim_poll(fds, 1, 30_000));
  equal(ready, 0);
  ok(elapsed >= 30 && elapsed < 1000, `${elapsed} ms`);
});

Deno.test("shim_poll() returns at once with the number of descriptors that are readable", () => {
  using files = new OpenFiles();
  const fds = Int32Array.from({ length: 3 }, () => files.add(shim.shim_eventfd()));
  shim.shim_eventfd_signal(fds[0]);
  shim.shim_eventfd_signal(fds[2]);
  let ready = -1;
  const elapsed = millisecondsOf(() => ready = shim.shim_poll(fds, 3, 4_000_000_000));
  equal(ready, 2);
  ok(elapsed < 1000, `${elapsed} ms`);
});

Deno.test("shim_poll() takes 1024 descriptors and no more", () => {
  const fds = new Int32Array(1025).fill(-1); // -1: poll(2) passes over it
  equal(shim.shim_poll(fds, 1024, 0), 0);
  equal(shim.shim_poll(fds, 1025, 0), -EINVAL);
});
