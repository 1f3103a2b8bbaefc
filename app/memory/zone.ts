import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { CulvertError } from "../../ffi/error.ts";
import {
  DIRECTORY_BYTES,
  ENTRY,
  HEADER,
  LINE_BYTES,
  ZONE_KIND,
  ZONE_NAME_BYTES,
  ZONES_BYTES,
  ZONES_MAX,
} from "./layout.ts";

/** A named, aligned part of a region (DPDK: memzone). */
export interface Memzone {
  /** Up to 31 bytes of UTF-8. */
  readonly name: string;
  /** One of `ZONE_KIND`. */
  readonly kind: number;
  /** Bytes from the region's start; a multiple of 128. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** Depends on the kind; see `ZONE_KIND`. */
  readonly parameter: number;
}

const decoder = new TextDecoder();

/** What a kind is called: `RING`, or `77` where `ZONE_KIND` has none of that number. */
export function kindName(kind: number): string {
  const found = Object.entries(ZONE_KIND).find(([, number]) => number === kind);
  return found ? found[0] : `${kind}`;
}

/** The directory's entry at `index`, as it stands in the region: not yet checked. */
export function readEntry(memory: MappedMemory, index: number): Memzone {
  const word = (DIRECTORY_BYTES >>> 2) + index * ENTRY.WORDS;
  const name = memory.u8.slice(word * 4, word * 4 + ZONE_NAME_BYTES + 1);
  const end = name.indexOf(0);
  return {
    name: decoder.decode(end < 0 ? name : name.slice(0, end)),
    kind: memory.u32[word + ENTRY.KIND],
    offset: memory.u32[word + ENTRY.OFFSET],
    size: memory.u32[word + ENTRY.SIZE],
    parameter: memory.u32[word + ENTRY.PARAMETER],
  };
}

/**
 * All memzones of a region, as far as they are published now.
 *
 * @throws {CulvertError} if the directory names memory outside the region.
 */
export function readDirectory(memory: MappedMemory): Memzone[] {
  // Pairs with the store in writeEntry(): the entries counted, and what they name, were written
  // before.
  const count = memory.load(HEADER.ZONE_COUNT);
  if (count > ZONES_MAX) {
    throw new CulvertError(
      `Cannot read the region's directory as it counts ${count} memzones: ${ZONES_MAX} is the most`,
    );
  }
  const zones = Array.from({ length: count }, (_, index) => readEntry(memory, index));
  for (const { name, offset, size } of zones) {
    if (offset < ZONES_BYTES || offset % LINE_BYTES !== 0 || offset + size > memory.bytes) {
      throw new CulvertError(
        `Cannot read the region's directory as memzone ${name} lies at ${offset}+${size}: ` +
          `the region ends at ${memory.bytes}`,
      );
    }
  }
  return zones;
}

/**
 * Write `zone` as the directory's entry at `index`, the next one, and publish it. The caller gives
 * the index: any member of the region could have changed the count in it.
 */
export function writeEntry(memory: MappedMemory, index: number, zone: Memzone): void {
  const word = (DIRECTORY_BYTES >>> 2) + index * ENTRY.WORDS;
  memory.u32.fill(0, word, word + ENTRY.WORDS);
  memory.u8.set(new TextEncoder().encode(zone.name), word * 4);
  // Stored one by one, so that a test can have us die between any two of them.
  memory.store(word + ENTRY.KIND, zone.kind);
  memory.store(word + ENTRY.OFFSET, zone.offset);
  memory.store(word + ENTRY.SIZE, zone.size);
  memory.store(word + ENTRY.PARAMETER, zone.parameter);
  memory.store(HEADER.ZONE_COUNT, index + 1); // pairs with the load in readDirectory()
}
