import { CulvertError } from "../../ffi/error.ts";
import { ZONE_KIND } from "../memory/layout.ts";
import type { Region } from "../memory/region.ts";
import type { Memzone } from "../memory/zone.ts";
import { MpmcRing, type Sharing } from "./mpmc_ring.ts";
import { checkRingSize, isRingSize } from "./ring_size.ts";
import { SpscRing } from "./spsc_ring.ts";

/** A ring of 8-byte descriptors for one producer and one consumer: {@linkcode SpscRing}. */
export interface SpscOptions {
  /** Which ring. */
  readonly kind: "spsc";
}

/** A ring of 4-byte elements for any number of producers and consumers: {@linkcode MpmcRing}. */
export interface MpmcOptions {
  /** Which ring. */
  readonly kind: "mpmc";
  /** Whether several threads, of all programs together, enqueue; they do unless told. */
  readonly producers?: Sharing;
  /** Whether several threads, of all programs together, dequeue; they do unless told. */
  readonly consumers?: Sharing;
}

/** Which ring, and how it is used. */
export type RingOptions = SpscOptions | MpmcOptions;

const ZONE_KIND_OF = { spsc: ZONE_KIND.RING, mpmc: ZONE_KIND.MPMC } as const;
const BYTES_OF = { spsc: SpscRing.bytes, mpmc: MpmcRing.bytes } as const;

/**
 * Add a ring to a region that this process builds; others may be attached already.
 *
 * A ring of kind `spsc` is safe with any peer. One of kind `mpmc` is for peers that are trusted: one that
 * dies, or is stopped, half-way through an enqueue or dequeue blocks that end for all.
 *
 * @param size Slots, a power of two; all of them can be used.
 * @throws {CulvertError} if the size is no power of two, the name is taken or too long, or there is no
 * room.
 *
 * @example
 * ```ts
 * import { MappedMemory } from "../../ffi/mapped_memory.ts";
 * import { Region } from "../memory/region.ts";
 * import { addRing, attachRing } from "./named_ring.ts";
 *
 * const memory = MappedMemory.ofProcess(1 << 20); // in earnest: a file, or a PCI device's BAR
 * const host = Region.build(memory, "r0");
 * const work = addRing(host, "work", 256, { kind: "mpmc" });
 * host.publish();
 * const guest = attachRing(Region.attach(memory, "r0"), "work", { kind: "mpmc" });
 * console.assert(work.enqueueBulk(new Uint32Array([1, 2, 3]), 3) === 3);
 * console.assert(guest.dequeueBurst(new Uint32Array(32), 32) === 3);
 * memory.close();
 * ```
 */
export function addRing(region: Region, name: string, size: number, options: SpscOptions): SpscRing;
/** Add a ring of kind `mpmc`. */
export function addRing(region: Region, name: string, size: number, options: MpmcOptions): MpmcRing;
/** Add a ring of either kind. */
export function addRing(
  region: Region,
  name: string,
  size: number,
  options: RingOptions,
): SpscRing | MpmcRing {
  checkRingSize(size);
  const bytes = BYTES_OF[options.kind](size);
  return open(region, region.addMemzone(name, ZONE_KIND_OF[options.kind], bytes, size), options);
}

/**
 * Find a ring by name. Several may attach to one; of a ring of kind `spsc` one uses either end.
 *
 * @throws {CulvertError} if there is none of that name and kind, or it does not fit its memzone. One that
 * was added after this side attached is found after `region.refresh()`.
 */
export function attachRing(region: Region, name: string, options: SpscOptions): SpscRing;
/** Find a ring of kind `mpmc`. */
export function attachRing(region: Region, name: string, options: MpmcOptions): MpmcRing;
/** Find a ring of either kind. */
export function attachRing(
  region: Region,
  name: string,
  options: RingOptions,
): SpscRing | MpmcRing {
  const zone = region.zone(name, ZONE_KIND_OF[options.kind]);
  const { size, parameter } = zone;
  if (isRingSize(parameter) && size >= BYTES_OF[options.kind](parameter)) {
    return open(region, zone, options);
  }
  throw new CulvertError(
    `Cannot use ring ${name} of region ${region.name} as its memzone has ${size} bytes for ` +
      `${parameter} slots: the directory is spoiled; let its host build the region again`,
  );
}

function open(region: Region, zone: Memzone, options: RingOptions): SpscRing | MpmcRing {
  const { offset, parameter: size } = zone;
  return options.kind === "spsc"
    ? new SpscRing(region.memory, offset, size)
    : new MpmcRing(region.memory, offset, size, options);
}
