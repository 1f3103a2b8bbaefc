import { MappedMemory } from "../../ffi/mapped_memory.ts";

/**
 * Zeroed memory for one test: `using memory = freshMemory(4096)` unmaps it at the end, since a
 * process has 2048 maps and all tests share them.
 */
export function freshMemory(bytes: number): MappedMemory & Disposable {
  const memory = MappedMemory.ofProcess(bytes);
  return Object.assign(memory, { [Symbol.dispose]: () => memory.close() });
}

/** A map's number that is nobody's, and will not be for 2047 maps more. */
export function numberOfNoMap(): number {
  using memory = freshMemory(4096);
  return memory.map;
}
