/**
 * The rings of an AF_XDP socket in plain memory, and the kernel's ends of them.
 *
 * @module
 */
import type { KernelRing, KernelRings } from "../../app/linux/xdp_socket.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";

/** Where producer, consumer, flags and entries are in the memory, as word indexes. */
const PRODUCER = 0, CONSUMER = 32, FLAGS = 48, ENTRIES = 80;

/** A ring of `size` entries of `width` words, whose positions begin at `start`. */
export function plainRing(size: number, width: number, start = 0): KernelRing {
  const memory = MappedMemory.ofProcess((ENTRIES + size * width) * 4);
  memory.u32[PRODUCER] = memory.u32[CONSUMER] = start;
  return {
    memory,
    size,
    producer: PRODUCER,
    consumer: CONSUMER,
    flags: FLAGS,
    entries: ENTRIES,
  };
}

/** A kernel that does what a test tells it: the far ends of four rings. */
export class FakeKernel implements Disposable {
  readonly rings: KernelRings;

  constructor(size: number) {
    const [rx, tx, fill, completion] = [4, 4, 2, 2].map((width) => plainRing(size, width));
    this.rings = { rx, tx, fill, completion };
  }

  /** Take the address of an empty buffer; undefined if there is none. */
  takeBuffer(): number | undefined {
    return this.#take("fill", 2)?.[0];
  }

  /** Receive a frame of `length` bytes, at byte `offset` of the chunk at `address`. */
  receive(address: number, offset: number, length: number): void {
    this.#put("rx", [address, offset << 16, length, 0]);
  }

  /** Take a frame that is to be sent; undefined if there is none. */
  takeFrame(): { address: number; offset: number; length: number } | undefined {
    const found = this.#take("tx", 4);
    return found && { address: found[0], offset: found[1] >>> 16, length: found[2] };
  }

  /** Give the mbuf of a frame back that was sent. */
  complete(address: number, offset: number): void {
    this.#put("completion", [address, offset << 16]);
  }

  [Symbol.dispose](): void {
    for (const { memory } of Object.values(this.rings)) memory.close();
  }

  #put(name: keyof KernelRings, words: number[]): void {
    const { memory, size, producer, entries } = this.rings[name];
    const at = memory.load(producer);
    memory.u32.set(words, entries + (at & (size - 1)) * words.length);
    memory.store(producer, at + 1 >>> 0);
  }

  #take(name: keyof KernelRings, width: number): Uint32Array | undefined {
    const { memory, size, producer, consumer, entries } = this.rings[name];
    const at = memory.load(consumer);
    if (at === memory.load(producer)) return undefined;
    const from = entries + (at & (size - 1)) * width;
    memory.store(consumer, at + 1 >>> 0);
    return memory.u32.slice(from, from + width);
  }
}
