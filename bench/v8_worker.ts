/**
 * What V8 alone takes for an FFI call and for a word, pinned to a core.
 *
 * @module
 */
import { check } from "../ffi/error.ts";
import { MappedMemory } from "../ffi/mapped_memory.ts";
import { shim } from "../ffi/shim.ts";

/** What the worker is sent. */
export interface V8Order {
  readonly core: number;
  readonly what: "call" | "word";
  readonly times: number;
}

const WORDS = 2048, BURST = 32;

const scope = self as unknown as {
  onmessage: (event: MessageEvent<V8Order>) => void;
  postMessage(nanoseconds: number): void;
};

let memory: MappedMemory | undefined;

/** The smallest FFI call that takes a number. */
function calls(times: number): void {
  for (let i = 0; i < times; i++) shim.shim_pause(0);
}

/** Numbers into the slots of a ring, a burst at a time, as `fill()` in ring_loops.ts. */
function words(words: Uint32Array, times: number): void {
  for (let next = 0; next < times; next += BURST) {
    for (let i = 0; i < BURST; i++) words[(next + i) & WORDS - 1] = next + i;
  }
}

scope.onmessage = ({ data: { core, what, times } }) => {
  if (memory === undefined) check(shim.shim_thread_pin(core), `pin to core ${core}`);
  memory ??= MappedMemory.ofProcess(WORDS * 4);
  const start = shim.shim_clock();
  if (what === "call") calls(times);
  else words(memory.u32, times);
  scope.postMessage(shim.shim_clock() - start);
};
