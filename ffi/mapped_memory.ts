import { check } from "./error.ts";
import { cString, shim } from "./shim.ts";

const WASM_PAGE = 65536;

/** Most pages of a WebAssembly memory. */
const WASM_PAGES_MAX = 65536;

/**
 * Huge pages have to be mapped at multiples of their size. V8 puts a memory there only by chance.
 */
const HUGE_PAGE = 2 << 20;

const EINVAL = 22, ENFILE = 23;

/** `SHIM_MAPS` in shim/shim.h. */
const MAPS_MAX = 2048;

/** What another thread needs to use the same mapped memory; survives `postMessage`. */
export interface MappedMemoryHandle {
  /** The memory whose buffer the mapping lies over. */
  readonly memory: WebAssembly.Memory;
  /** Where in the buffer the mapping begins, in bytes; a multiple of 4096. */
  readonly start: number;
  /** The shim's number for it, valid in every thread of this process. */
  readonly map: number;
  /** Its size in bytes. */
  readonly bytes: number;
}

/**
 * The memories that this thread has mapped. Here the garbage collector leaves them alone: it would
 * unmap pages that the shim still uses.
 */
const mapped = new Set<WebAssembly.Memory>();

/**
 * The memories that this thread has closed, by their number of pages, in the order of closing. They
 * are used again, since V8 keeps the addresses of a memory that others may have a view of.
 */
const closed = new Map<number, WebAssembly.Memory[]>();

/**
 * How many memories of one size stay closed before the first of them is used again. Until then a
 * program that has kept a view of it by mistake reads zeros, not the data of another mapping.
 */
const RESTING = 16;

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
  /** The whole memory as little-endian 32-bit words, from `byteOffset` of their buffer on. */
  readonly u32: Uint32Array<SharedArrayBuffer>;
  /** The whole memory as bytes. */
  readonly u8: Uint8Array<SharedArrayBuffer>;
  /** The shim's number for this memory. */
  readonly map: number;
  /** Its size in bytes. */
  readonly bytes: number;

  /** Use the memory that {@linkcode handle} describes, which this process has mapped. */
  constructor(readonly handle: MappedMemoryHandle) {
    const buffer = handle.memory.buffer as unknown as SharedArrayBuffer;
    this.u32 = new Uint32Array(buffer, handle.start, handle.bytes / 4);
    this.u8 = new Uint8Array(buffer, handle.start, handle.bytes);
    this.map = handle.map;
    this.bytes = handle.bytes;
  }

  /**
   * Map `bytes` (a multiple of 4096) of an open file. The file may be closed afterwards.
   *
   * @param offset Where in the file, in bytes; a multiple of 4096.
   * @throws {ShimError} if the kernel refuses.
   */
  static ofFile(fd: number, bytes: number, name: string, offset = 0): MappedMemory {
    const { memory, start, map } = place(fd, bytes, BigInt(offset));
    const advice = map === -ENFILE ? `a process has ${MAPS_MAX} maps: close some` : undefined;
    check(map, `map ${name}`, advice);
    mapped.add(memory);
    return new MappedMemory({ memory, start, map, bytes });
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

  /**
   * Unmap the memory. No thread may be using it any more: a view of it reads zeros for a while, and
   * later whatever is mapped there then.
   */
  close(): void {
    check(shim.shim_unmap(this.map), "unmap memory");
    const { memory } = this.handle;
    mapped.delete(memory);
    keep(memory);
  }
}

/**
 * Map a file over a new memory. If the kernel refuses the address, as it may for huge pages, map it
 * over a larger memory, at an address that the kernel takes.
 */
function place(
  fd: number,
  bytes: number,
  offset: bigint,
): { memory: WebAssembly.Memory; start: number; map: number } {
  const mapOver = (memory: WebAssembly.Memory, start: number) => {
    const buffer = new Uint8Array(memory.buffer as unknown as ArrayBuffer, start);
    return shim.shim_map(buffer, BigInt(bytes), fd, offset);
  };
  const exact = newMemory(bytes);
  const map = mapOver(exact, 0);
  const roomy = bytes + HUGE_PAGE - WASM_PAGE;
  const mayBeHuge = map === -EINVAL && bytes % HUGE_PAGE === 0;
  if (!mayBeHuge || roomy > WASM_PAGES_MAX * WASM_PAGE) return { memory: exact, start: 0, map };
  keep(exact);
  const memory = newMemory(roomy);
  for (let start = 0; start < HUGE_PAGE; start += WASM_PAGE) {
    const map = mapOver(memory, start);
    if (map !== -EINVAL) return { memory, start, map };
  }
  return { memory, start: 0, map };
}

/** Keep a memory over which nothing is mapped, to use it again. */
function keep(memory: WebAssembly.Memory): void {
  const pages = memory.buffer.byteLength / WASM_PAGE;
  const alike = closed.get(pages);
  if (alike) alike.push(memory);
  else closed.set(pages, [memory]);
}

/** A memory for a mapping, all zeros: one that was closed long ago, or a new one. */
function newMemory(bytes: number): WebAssembly.Memory {
  const pages = Math.ceil(bytes / WASM_PAGE);
  const alike = closed.get(pages) ?? [];
  if (alike.length > RESTING) return alike.shift()!;
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
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
