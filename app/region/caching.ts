import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";

/** How long a load of 8 bytes takes, in nanoseconds. */
export interface Caching {
  /** A load from the region. */
  readonly region: number;
  /** A load from memory of this process alone. */
  readonly own: number;
}

/** Bytes read of either memory in a round: at a region's start, which is seldom written. */
const SAMPLE_BYTES = 8192;

/** Of so many rounds the fastest counts: the others were disturbed. */
const ROUNDS = 12;

/**
 * Uncached loads are some hundred times slower than cached ones. Cached loads of two memories take
 * the same time: the first round brings both into the cache.
 */
const SUSPICIOUS_RATIO = 8;

/**
 * The least time that counts for a load of own memory: a coarse clock, which measures nothing
 * there, must not make the region look slow.
 */
const CLOCK_NANOSECONDS = 0.2;

/**
 * Measure how fast this process reads a region, against memory of its own: the same copy in V8,
 * which loads 8 bytes at a time and needs no warming up. It takes a tenth of a millisecond where
 * all is well, some 5 ms where each load goes to the memory's controller. The region is only read.
 */
export function measureCaching(memory: MappedMemory): Caching {
  const words = SAMPLE_BYTES / 4;
  const target = new Uint32Array(words);
  const own = new Uint32Array(new SharedArrayBuffer(SAMPLE_BYTES));
  const region = memory.u32.subarray(0, words);
  let fastest = { region: Infinity, own: Infinity };
  for (let round = 0; round < ROUNDS; round++) {
    fastest = {
      region: Math.min(fastest.region, timeCopy(target, region)),
      own: Math.min(fastest.own, timeCopy(target, own)),
    };
  }
  return fastest;
}

/** Nanoseconds for each 8 bytes. */
function timeCopy(target: Uint32Array, source: Uint32Array): number {
  const start = shim.shim_clock();
  target.set(source);
  return (shim.shim_clock() - start) / (source.length / 2);
}

/** Whether loads from the region come out of the caches, as far as can be measured. */
export function isCached({ region, own }: Caching): boolean {
  return region <= SUSPICIOUS_RATIO * Math.max(own, CLOCK_NANOSECONDS);
}

/**
 * A warning in one line for a guest whose region is mapped uncached, with what to do.
 *
 * @returns undefined if there is nothing to warn of.
 */
export function cachingAdvice(caching: Caching): string | undefined {
  if (isCached(caching)) return undefined;
  const times = Math.round(caching.region / caching.own);
  return `reads of the region take ${
    nanoseconds(caching.region)
  } each, ${times} times as long as ` +
    `of own memory: the VM maps the device's memory uncached, which KVM on AMD obeys; if ` +
    `/proc/mtrr has an uncachable range there, say echo disable=0 > /proc/mtrr in the VM and start ` +
    `the guest again: see app/vm/CACHING.md`;
}

function nanoseconds(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ns`;
}
