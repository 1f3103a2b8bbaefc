import { check } from "./error.ts";
import { cString, shim } from "./shim.ts";

const WASM_PAGE = 65536;

/** What another thread needs to use the same mapped memory; survives `postMessage`. */
export interface MappedMemoryHandle {
  /** The memory whose buffer the mapping lies over. */
  readonly memory: WebAssembly.Memory;
  /** The shim's number for it, valid in every thread of this process. */
  readonly map: number;
  /** Its size in bytes. */
  readonly bytes: number;
}

/** Every memory ever mapped: a collected one would unmap pages that the shim still uses. */
const forever: WebAssembly.Memory[] = [];

/**
 * Memory that several threads, processes or machines share: a file mapped over the buffer of a
 * shared `WebAssembly.Memory`, so that it is a true `SharedArrayBuffer` with ECMAScript's memory
 * model, posts to Workers, and needs FFI permission for the shim alone.
 *
 * Ordering is by {@linkcode load}, {@linkcode store} and {@linkcode compareAndSwap}; everything
 * between them may be plain typed-array access. V8 never moves a plain access across an FFI call,
 * which is opaque to it; the C side has acquire, release or full ordering as named.
 */
export class MappedMemory {
  /** The whole memory as little-endian 32-bit words. */
  readonly u32: Uint32Array<SharedArrayBuffer>;
  /** The whole memory as bytes. */
  readonly u8: Uint8Array<SharedArrayBuffer>;
  /** The shim's number for this memory. */
  readonly map: number;
  /** Its size in bytes. */
  readonly bytes: number;

  /** Adopt a memory that {@linkcode handle} describes: one mapped by this process. */
  constructor(readonly handle: MappedMemoryHandle) {
    const buffer = handle.memory.buffer as unknown as SharedArrayBuffer;
    this.u32 = new Uint32Array(buffer, 0, handle.bytes / 4);
    this.u8 = new Uint8Array(buffer, 0, handle.bytes);
    this.map = handle.map;
    this.bytes = handle.bytes;
  }

  /**
   * Map `bytes` (a multiple of 4096) of an open file. The file may be closed afterwards.
   *
   * @throws {ShimError} if the kernel refuses.
   */
  static ofFile(fd: number, bytes: number, name: string): MappedMemory {
    const pages = Math.ceil(bytes / WASM_PAGE);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const buffer = new Uint8Array(memory.buffer as unknown as ArrayBuffer);
    const map = check(shim.shim_map(buffer, BigInt(bytes), fd), `map ${name}`);
    forever.push(memory);
    return new MappedMemory({ memory, map, bytes });
  }

  /**
   * Fresh zeroed memory that only this process sees, rounded up to whole pages.
   *
   * @throws {ShimError} if there is not enough memory.
   */
  static ofProcess(bytes: number): MappedMemory {
    return MappedMemory.ofFile(-1, Math.ceil(bytes / 4096) * 4096, "private memory");
  }

  /** The word at index `word`, with acquire ordering. */
  load(word: number): number {
    return shim.shim_load_acquire(this.map, word);
  }

  /** Set the word at index `word`, with release ordering. */
  store(word: number, value: number): void {
    shim.shim_store_release(this.map, word, value);
  }

  /** Set the word at index `word` to `desired` if it is `expected`; full ordering. */
  compareAndSwap(word: number, expected: number, desired: number): boolean {
    return shim.shim_compare_and_swap(this.map, word, expected, desired) === 1;
  }

  /** Unmap. The object reads as zeros afterwards; no other thread may still be using it. */
  close(): void {
    check(shim.shim_unmap(this.map), "unmap memory");
  }
}

/**
 * Create a memfd of `bytes`, sealed against shrinking and growing.
 *
 * @returns its file descriptor, to be closed by the caller.
 * @throws {ShimError} if there is not enough memory.
 */
export function sealedMemfd(name: string, bytes: number): number {
  return check(shim.shim_memfd(cString(name), BigInt(bytes)), `create a memfd of ${bytes} bytes`);
}
