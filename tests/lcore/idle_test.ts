import { equal, ok } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { Idle } from "../../app/lcore/idle.ts";
import { readKernelFile } from "../../app/memory/kernel_file.ts";
import { OpenFiles } from "../ffi/open_files.ts";

/** Turns that pause before one that sleeps. */
const SPINS = 2000;

/** How often this thread has gone to sleep. */
function sleeps(): number {
  return Number(
    /^voluntary_ctxt_switches:\s+(\d+)/m.exec(readKernelFile("/proc/thread-self/status"))![1],
  );
}

/** How often this thread sleeps, and how many milliseconds pass, in so many turns that find nothing. */
function measure(idle: Idle, turns: number): { slept: number; milliseconds: number } {
  const before = sleeps();
  const start = shim.shim_clock();
  for (let turn = 0; turn < turns; turn++) idle.wait();
  const milliseconds = (shim.shim_clock() - start) / 1e6;
  return { slept: sleeps() - before, milliseconds };
}

/** An idle strategy that sleeps as long as it ever does. */
function tired(fds: number[]): Idle {
  const idle = new Idle("backoff");
  idle.watch(fds);
  for (let turn = 0; turn < SPINS + 6; turn++) idle.wait();
  return idle;
}

Deno.test("Idle that polls never sleeps, however long there is nothing to do", () => {
  const idle = new Idle("poll");
  idle.watch([]);
  const { slept } = measure(idle, 20 * SPINS);
  ok(slept < 5, `slept ${slept} times`);
});

Deno.test("Idle that backs off does not sleep at first", () => {
  const { slept } = measure(new Idle("backoff"), SPINS);
  ok(slept < 3, `slept ${slept} times`);
});

Deno.test("Idle that backs off sleeps once it has spun for a while: 50 us first, 1 ms at last", () => {
  const idle = new Idle("backoff");
  measure(idle, SPINS);
  const first = measure(idle, 5);
  ok(first.slept >= 5, `slept ${first.slept} times`);
  ok(first.milliseconds >= 0.05 + 0.1 + 0.2 + 0.4 + 0.8, `${first.milliseconds} ms`);
  const later = measure(idle, 30);
  ok(later.milliseconds >= 30 && later.milliseconds < 300, `${later.milliseconds} ms`);
});

Deno.test("Idle.reset() makes it spin again, and sleep 50 us again after that", () => {
  const idle = tired([]);
  idle.reset();
  const { slept } = measure(idle, SPINS);
  ok(slept < 3, `slept ${slept} times`);
  let shortest = Infinity;
  for (let i = 0; i < 10; i++) {
    shortest = Math.min(shortest, measure(idle, 1).milliseconds);
    idle.reset();
    measure(idle, SPINS);
  }
  ok(shortest >= 0.05 && shortest < 0.9, `${shortest} ms`);
});

Deno.test("Idle wakes on any descriptor that it watches, and sleeps again when that is drained", () => {
  using files = new OpenFiles();
  const fds = [files.add(shim.shim_eventfd()), files.add(shim.shim_eventfd())];
  const idle = tired(fds);
  for (const fd of fds) {
    shim.shim_eventfd_signal(fd);
    const awake = measure(idle, 50);
    ok(awake.milliseconds < 25, `${awake.milliseconds} ms`);
    equal(shim.shim_eventfd_drain(fd), 1);
    const asleep = measure(idle, 10);
    ok(asleep.milliseconds >= 10, `${asleep.milliseconds} ms`);
  }
});

Deno.test("Idle.watch() forgets the descriptors of before", () => {
  using files = new OpenFiles();
  const fd = files.add(shim.shim_eventfd());
  const idle = tired([fd]);
  shim.shim_eventfd_signal(fd);
  idle.watch([]);
  const { milliseconds } = measure(idle, 10);
  ok(milliseconds >= 10, `${milliseconds} ms`);
});
