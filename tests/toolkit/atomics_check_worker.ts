import { checkAtomics } from "../../app/toolkit/atomics_check.ts";
import { RawMemzone } from "../../app/toolkit/raw_memzone.ts";
import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { serveOrder } from "../ffi/run_workers.ts";

/** A party's part. */
export interface AtomicsOrder {
  readonly memory: MappedMemoryHandle;
  readonly zone: { name: string; kind: number; offset: number; size: number; parameter: number };
  readonly party: number;
  readonly parties: number;
  /** Whether this party's compare-and-swap is a load and a store, as QEMU's may be. */
  readonly isBroken: boolean;
}

/** Additions that it counted, or why it failed. */
export type AtomicsAnswer = number | string;

serveOrder(({ memory, zone, party, parties, isBroken }: AtomicsOrder): AtomicsAnswer => {
  const raw = new RawMemzone(new MappedMemory(memory), zone);
  if (isBroken) {
    raw.compareAndSwap = (word, expected, desired) => {
      if (raw.load(word) !== expected) return false;
      raw.store(word, desired);
      return true;
    };
  }
  try {
    return checkAtomics(raw, party, parties, { additions: isBroken ? 1_000_000 : 50_000 });
  } catch (error) {
    return (error as Error).message;
  }
});
