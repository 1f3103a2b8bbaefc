import { equal } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { OpenFiles } from "./open_files.ts";
import { runWorkers } from "./run_workers.ts";
import { fill, setWaits } from "./shared_eventfd.ts";
import type { Order } from "./shim_eventfd_worker.ts";

const EBADF = 9;
const INT32_MAX = 2 ** 31 - 1;

/** Whether it is readable: whether it wakes a sleeper. */
function wakes(fd: number): boolean {
  return shim.shim_poll(Int32Array.of(fd), 1, 0) === 1;
}

/** What a call in another thread returns; it is released if it waits. */
async function returned(fd: number, signals: boolean): Promise<number> {
  const url = new URL("./shim_eventfd_worker.ts", import.meta.url);
  try {
    return (await runWorkers<Order, number>(url, [{ fd, signals }]))[0];
  } catch (error) {
    if (signals) shim.shim_eventfd_drain(fd);
    else shim.shim_eventfd_signal(fd);
    throw error;
  }
}

Deno.test("shim_eventfd_drain() tells how often it was signalled since", () => {
  using files = new OpenFiles();
  const fd = files.add(shim.shim_eventfd());
  equal(shim.shim_eventfd_drain(fd), 0);
  for (let i = 0; i < 3; i++) equal(shim.shim_eventfd_signal(fd), 0);
  equal(shim.shim_eventfd_drain(fd), 3);
  equal(shim.shim_eventfd_drain(fd), 0);
});

Deno.test("shim_eventfd_signal() and _drain() give EBADF for no file", () => {
  equal(shim.shim_eventfd_signal(-1), -EBADF);
  equal(shim.shim_eventfd_drain(-1), -EBADF);
});

Deno.test("shim_eventfd_signal() loses none of 10,000 signals", () => {
  using files = new OpenFiles();
  const fd = files.add(shim.shim_eventfd());
  for (let i = 0; i < 10_000; i++) equal(shim.shim_eventfd_signal(fd), 0);
  equal(shim.shim_eventfd_drain(fd), 10_000);
});

Deno.test("shim_eventfd_drain() returns at once though a peer lets all reads of it wait", async () => {
  using files = new OpenFiles();
  const fd = files.add(shim.shim_eventfd());
  setWaits(fd, true);
  equal(await returned(fd, false), 0);
});

Deno.test("shim_eventfd_signal() returns at once though a peer has filled it and lets all writes wait", async () => {
  using files = new OpenFiles();
  const fd = files.add(shim.shim_eventfd());
  fill(fd);
  setWaits(fd, true);
  equal(await returned(fd, true), 0);
  equal(wakes(fd), true, "the doorbell arrives");
  equal(shim.shim_eventfd_drain(fd), INT32_MAX);
  equal(wakes(fd), false);
  equal(await returned(fd, true), 0);
  equal(shim.shim_eventfd_drain(fd), 1);
});
