import { Region } from "../../app/memory/region.ts";
import type { Memzone } from "../../app/memory/zone.ts";
import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { meetAt, serveOrder, type StartLine } from "../ffi/run_workers.ts";

/** A reader's part. */
export interface RefreshOrder {
  readonly memory: MappedMemoryHandle;
  /** Word 0: where reader and host meet; 1: what the reader has found so far. */
  readonly shared: StartLine;
  /** Memzones that will be there in the end. */
  readonly zones: number;
}

/** What it saw. */
export interface RefreshAnswer {
  readonly seen: number;
  /** Looks at the directory at which there was something new. */
  readonly findings: number;
  /** Memzones whose words are not all their parameter. */
  readonly unfilled: string[];
}

/** Look for memzones, by refresh() and by attach() in turn, until all are there. */
serveOrder(({ memory: handle, shared, zones }: RefreshOrder): RefreshAnswer => {
  const memory = new MappedMemory(handle);
  const region = Region.attach(memory, "r0");
  const unfilled: string[] = [];
  let findings = 0, seen = 0;
  meetAt(shared, 2);
  const isFilled = ({ offset, size, parameter }: Memzone) =>
    memory.u32.subarray(offset >>> 2, (offset + size) >>> 2).every((word) => word === parameter);
  const end = shim.shim_clock() + 50e9;
  for (let turn = 0; seen < zones && shim.shim_clock() < end; turn++) {
    const found = turn % 2 === 0 ? Region.attach(memory, "r0").zones.slice(seen) : region.refresh();
    unfilled.push(...found.filter((zone) => !isFilled(zone)).map(({ name }) => name));
    if (found.length > 0) Atomics.store(shared, 1, ++findings);
    seen = Math.max(seen, region.zones.length);
  }
  return { seen, findings, unfilled };
});
