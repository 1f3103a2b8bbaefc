import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { ZONE_KIND } from "../memory/layout.ts";
import type { Region } from "../memory/region.ts";
import type { Memzone } from "../memory/zone.ts";

/** A word that is in no region: the shim reads it as 0 and writes it nowhere. */
const NOWHERE = 0xffffffff;

/**
 * A memzone that holds whatever its users put there: a configuration, counters, a table.
 *
 * {@linkcode u8} and {@linkcode u32} are for plain access. Words that others change at the same
 * time want {@linkcode load}, {@linkcode store}, {@linkcode compareAndSwap} and
 * {@linkcode fetchAdd}, which never touch a word outside of the memzone.
 *
 * @example
 * ```ts
 * import { MappedMemory } from "../../ffi/mapped_memory.ts";
 * import { addMemzone, attachMemzone } from "./raw_memzone.ts";
 * import { Region } from "../memory/region.ts";
 *
 * const memory = MappedMemory.ofProcess(1 << 20); // in a program: a file, or a PCI device's BAR
 * const host = Region.build(memory, "r0");
 * addMemzone(host, "config", 64, (zone) => zone.u8.set(new TextEncoder().encode("mtu 1500")));
 * host.publish();
 * const config = attachMemzone(Region.attach(memory, "r0"), "config");
 * console.assert(config.text() === "mtu 1500");
 * console.assert(config.fetchAdd(15, 1) === 0 && config.load(15) === 1);
 * memory.close();
 * ```
 */
export class RawMemzone {
  /** The memzone as bytes. */
  readonly u8: Uint8Array<SharedArrayBuffer>;
  /** The memzone's whole words, little-endian. */
  readonly u32: Uint32Array<SharedArrayBuffer>;
  /** Up to 31 bytes of UTF-8. */
  readonly name: string;

  readonly #map: number;
  readonly #start: number;
  readonly #words: number;

  /** Use the memzone that lies in `memory` as the directory's entry, already checked, says. */
  constructor(memory: MappedMemory, { name, offset, size }: Memzone) {
    this.name = name;
    this.u8 = memory.u8.subarray(offset, offset + size);
    this.u32 = memory.u32.subarray(offset >>> 2, (offset >>> 2) + (size >>> 2));
    this.#map = memory.map;
    this.#start = offset >>> 2;
    this.#words = size >>> 2;
  }

  /** The word at index `word`, with acquire ordering; 0 if it is outside. */
  load(word: number): number {
    return shim.shim_load_acquire(this.#map, this.#at(word));
  }

  /** Set the word at index `word`, with release ordering, unless it is outside. */
  store(word: number, value: number): void {
    shim.shim_store_release(this.#map, this.#at(word), value);
  }

  /**
   * Set the word at index `word` to `desired` if it is `expected`; full ordering; false if it is
   * outside.
   */
  compareAndSwap(word: number, expected: number, desired: number): boolean {
    return shim.shim_compare_and_swap(this.#map, this.#at(word), expected, desired) === 1;
  }

  /**
   * Add to the word at index `word`; full ordering. Returns what it was before; 0 if it is outside.
   */
  fetchAdd(word: number, addend: number): number {
    return shim.shim_fetch_add(this.#map, this.#at(word), addend);
  }

  /** The memzone's bytes as UTF-8, up to the first NUL: a copy. */
  text(): string {
    const bytes = this.u8.slice();
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  #at(word: number): number {
    return word < this.#words ? this.#start + word : NOWHERE;
  }
}

/**
 * Add a memzone of kind RAW to a region that this process builds; others may be attached already.
 *
 * @param size In bytes; they are zeros.
 * @param fill Writes what must be there before others see the memzone.
 * @throws {CulvertError} if the name is taken or too long, or there is no room.
 */
export function addMemzone(
  region: Region,
  name: string,
  size: number,
  fill?: (zone: RawMemzone) => void,
): RawMemzone {
  const view = (zone: Memzone) => new RawMemzone(region.memory, zone);
  return view(region.addMemzone(name, ZONE_KIND.RAW, size, 0, (zone) => fill?.(view(zone))));
}

/**
 * Find a memzone of kind RAW.
 *
 * @throws {CulvertError} if there is none of that name and kind. One that was added after this side
 * attached is found after `region.refresh()`.
 */
export function attachMemzone(region: Region, name: string): RawMemzone {
  return new RawMemzone(region.memory, region.zone(name, ZONE_KIND.RAW));
}
