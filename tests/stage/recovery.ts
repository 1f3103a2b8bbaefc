import assert from "node:assert/strict";
import { type Fault, faultNamed } from "./faults.ts";
import type { FaultRecord } from "./report.ts";
import { median } from "./watch.ts";

/** A Deno that does nothing takes 30 to 40 ms on an idle machine, more than this on a busy one. */
const BARE_START_MS = 80;

/** Of fewer times that a fault came no median says anything: one may have been late by chance. */
const RECORDS_MIN = 3;

/** The least limit where the guests are VMs. */
const VM_BACK_MS = 3000;

/** Milliseconds that a Deno takes to start and end now: how busy the machine is. */
export async function bareStart(): Promise<number> {
  const start = performance.now();
  const { success } = await new Deno.Command(Deno.execPath(), { args: ["eval", "0"] }).output();
  assert(success, "deno eval 0");
  return performance.now() - start;
}

/**
 * Faults after which frames did not flow again in time half of the times, in words. The limit grows
 * in proportion to the time that a bare Deno took to start, measured beside each fault.
 *
 * @param isVm Whether the guests are VMs. How long one takes to boot is not looked at.
 */
export function lateRecoveries(faults: readonly FaultRecord[], isVm = false): string[] {
  return [...Map.groupBy(faults, ({ name }) => name)].flatMap(([name, records]) => {
    const fault = faultNamed(name);
    if (fault === undefined || records.length < RECORDS_MIN) return [];
    if (isVm && boots(fault)) return [];
    const back = isVm ? Math.max(fault.expected.back, VM_BACK_MS) : fault.expected.back;
    const slowness = Math.max(1, median(records.map(({ bare }) => bare)) / BARE_START_MS);
    const limit = Math.round(back * slowness);
    const found = Math.round(1000 * median(records.map(({ recovery }) => recovery ?? Infinity)));
    return found < limit ? [] : [`after "${name}" frames flow after ${found} ms, not ${limit}`];
  });
}

/** Whether guests are started again after a fault. */
function boots({ does }: Fault): boolean {
  return does.some(([action, target]) => action !== "freeze" && target.startsWith("guest"));
}
