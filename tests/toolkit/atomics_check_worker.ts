import { checkAtomics } from "../../app/toolkit/atomics_check.ts";
import { RawMemzone } from "../../app/toolkit/raw_memzone.ts";
import { check } from "../../ffi/error.ts";
import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { serveOrder } from "../ffi/run_workers.ts";

/** A party's part. */
export interface AtomicsOrder {
  readonly memory: MappedMemoryHandle;
  readonly zone: { name: string; kind: number; offset: number; size: number; parameter: number };
  readonly party: number;
  readonly parties: number;
  /** Whether this party's compare-and-swap is a load and a store, as QEMU's may be. */
  readonly isBroken: boolean;
  /** Additions that it makes at least, instead of its usual number. */
  readonly additions?: number;
  /** The core to which it is pinned. */
  readonly core?: number;
}

/** Additions that it counted, or why it failed. */
export type AtomicsAnswer = number | string;

serveOrder((order: AtomicsOrder): AtomicsAnswer => {
  const { memory, zone, party, parties, isBroken, core } = order;
  const additions = order.additions ?? (isBroken ? 1_000_000 : 50_000);
  if (core !== undefined) check(shim.shim_thread_pin(core), `pin to core ${core}`);
  const raw = new RawMemzone(new MappedMemory(memory), zone);
  if (isBroken) {
    let calls = 0;
    raw.compareAndSwap = (word, expected, desired) => {
      if (raw.load(word) !== expected) return false;
      // All parties may have one core for a while: let the others add here now and then.
      if (++calls % 4096 === 0) shim.shim_yield();
      raw.store(word, desired);
      return true;
    };
  }
  try {
    return checkAtomics(raw, party, parties, { additions, patience: 15_000 });
  } catch (error) {
    return (error as Error).message;
  }
});
