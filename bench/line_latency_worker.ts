/**
 * One of two ends between which a cache line goes to and fro.
 *
 * @module
 */
import { check } from "../ffi/error.ts";
import { MappedMemory, type MappedMemoryHandle } from "../ffi/mapped_memory.ts";
import { shim } from "../ffi/shim.ts";

/** What each end is told. */
export interface LineOrder {
  readonly memory: MappedMemoryHandle;
  readonly core: number;
  /** How often the line comes back. */
  readonly turns: number;
  /** What the word holds before. */
  readonly base: number;
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<LineOrder>) => void;
  postMessage(nanoseconds: number): void;
};

function bounce(map: number, { core, turns, base }: LineOrder): number {
  const start = shim.shim_clock();
  for (let turn = 0; turn < turns; turn++) {
    const mine = base + 2 * turn + core;
    while (shim.shim_load_acquire(map, 0) !== mine) shim.shim_pause(1);
    shim.shim_store_release(map, 0, mine + 1);
  }
  return shim.shim_clock() - start;
}

scope.onmessage = ({ data }) => {
  check(shim.shim_thread_pin(data.core), `pin to core ${data.core}`);
  scope.postMessage(bounce(new MappedMemory(data.memory).map, data));
};
