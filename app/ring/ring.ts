import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { checkCapacity, checkElementBytes, checkRingSize, type ElementBytes } from "./ring_size.ts";
import { SlotsCopy, slotWords } from "./slots.ts";

/** What makes one ring differ from another of the same size; both sides must have the same. */
export interface RingShape {
  /** Bytes of an element: by default 8, a descriptor, in an `SpscRing`, and 4 in an `MpmcRing`. */
  readonly elementBytes?: ElementBytes;
  /** Elements that the ring may hold; by default as many as it has slots. See `slotsFor()`. */
  readonly capacity?: number;
}

/** Where a ring lies, in words of its memory. */
export interface RingPlace {
  /** The ring's memory. */
  readonly memory: MappedMemory;
  /** The position up to which slots are written. */
  readonly producer: number;
  /** The position up to which slots are free again. */
  readonly consumer: number;
  /** The first slot. */
  readonly slots: number;
}

/** What both kinds of ring have: slots, a capacity, and how much of it is used. */
export abstract class Ring {
  /**
   * The slots as words, to be used between `reserveBurst()` and `commit()`, or `peekBurst()` and
   * `finish()`. Element `i` begins at word `((first + i) & mask) * wordsPerElement`.
   */
  readonly words: Uint32Array;
  /** Slots less one. */
  readonly mask: number;
  /** Words of an element: 1, 2 or 4. */
  readonly wordsPerElement: number;

  /** The shim's number of the ring's memory. */
  protected readonly map: number;
  /** Word of the position up to which slots are written. */
  protected readonly producerWord: number;
  /** Word of the position up to which slots are free again. */
  protected readonly consumerWord: number;
  /** Word of the first slot. */
  protected readonly slotsWord: number;
  /** Copies bursts to the slots. */
  protected readonly writer: SlotsCopy;
  /** Copies bursts from the slots. */
  protected readonly reader: SlotsCopy;

  /**
   * Use the ring that lies at `place`.
   *
   * @param size Slots, a power of two.
   * @throws {CulvertError} if the size is no power of two, or the shape is not possible.
   */
  protected constructor(
    place: RingPlace,
    readonly size: number,
    elementBytes: ElementBytes,
    /** Elements that the ring may hold. */
    readonly capacity: number = size,
  ) {
    checkRingSize(size);
    checkElementBytes(elementBytes);
    checkCapacity(capacity, size);
    const slots = { memory: place.memory, start: place.slots, size, elementBytes };
    this.words = slotWords(slots);
    this.mask = size - 1;
    this.wordsPerElement = elementBytes / 4;
    this.map = place.memory.map;
    this.producerWord = place.producer;
    this.consumerWord = place.consumer;
    this.slotsWord = place.slots;
    this.writer = new SlotsCopy(slots, "write");
    this.reader = new SlotsCopy(slots, "read");
  }

  /**
   * Elements in the ring, by the positions in memory now: out of date at once while others are at
   * work. The capacity, if the positions say more.
   */
  get count(): number {
    // The consumer's position first: the producer's, loaded later, is never behind it.
    const consumer = shim.shim_load_acquire(this.map, this.consumerWord);
    const used = (shim.shim_load_acquire(this.map, this.producerWord) - consumer) >>> 0;
    return Math.min(used, this.capacity);
  }

  /** Elements that there is room for, by the positions in memory now. */
  get freeCount(): number {
    return this.capacity - this.count;
  }

  /** Whether there is no room, by the positions in memory now. */
  get isFull(): boolean {
    return this.count === this.capacity;
  }

  /** Whether there is nothing in the ring, by the positions in memory now. */
  get isEmpty(): boolean {
    return this.count === 0;
  }

  /** The ring as text: shape and fill, then positions (DPDK `rte_ring_dump`). */
  dump(): string {
    const { size, capacity, wordsPerElement, count } = this;
    return `${size} slots of ${wordsPerElement * 4} bytes, capacity ${capacity}: ` +
      `${count} used, ${capacity - count} free\n${this.positions()}\n`;
  }

  /** What {@linkcode dump} says of the positions. */
  protected abstract positions(): string;

  /** What the word at index `word` of the ring's memory says now. */
  protected load(word: number): number {
    return shim.shim_load_acquire(this.map, word);
  }
}
