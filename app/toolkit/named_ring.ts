import { CulvertError } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { MPMC, MPMC_SYNC, ZONE_KIND } from "../memory/layout.ts";
import type { Region } from "../memory/region.ts";
import type { Memzone } from "../memory/zone.ts";
import { MpmcRing } from "../ring/mpmc_ring.ts";
import type { RingShape } from "../ring/ring.ts";
import {
  checkCapacity,
  checkElementBytes,
  checkRingSize,
  type ElementBytes,
  isElementBytes,
  isRingSize,
} from "../ring/ring_size.ts";
import type { MpmcShape, Sharing } from "../ring/sharing.ts";
import { SpscRing } from "../ring/spsc_ring.ts";

/**
 * A ring for one producer and one consumer: {@linkcode SpscRing}. Each side states its shape;
 * neither takes it from shared memory.
 */
export interface SpscOptions extends RingShape {
  /** Which ring. */
  readonly kind: "spsc";
}

/**
 * A ring for any number of producers and consumers, of all programs together: {@linkcode MpmcRing}.
 * The region knows its shape, so a program that attaches may leave that out.
 */
export interface MpmcOptions extends MpmcShape {
  /** Which ring. */
  readonly kind: "mpmc";
}

/** Which ring, and how it is used. */
export type RingOptions = SpscOptions | MpmcOptions;

const ZONE_KIND_OF = { spsc: ZONE_KIND.RING, mpmc: ZONE_KIND.MPMC } as const;

/**
 * Add a ring to a region that this process builds; others may be attached already.
 *
 * A ring of kind `spsc` is safe with any peer. One of kind `mpmc` is for peers that are trusted: a
 * peer that dies, or is stopped, half-way through an enqueue or dequeue blocks that end of the ring
 * for all.
 *
 * @param size Slots, a power of two; all of them can be used.
 * @throws {CulvertError} if the size is no power of two, the shape is not possible, the name is
 * taken or too long, or there is no room.
 *
 * @example
 * ```ts
 * import { addRing, attachRing, Burst, MappedMemory, Region } from "../api.ts";
 *
 * const memory = MappedMemory.ofProcess(1 << 20); // in a program: a file, or a PCI device's BAR
 * const host = Region.build(memory, "r0");
 * const work = addRing(host, "work", 256, { kind: "mpmc" });
 * host.publish();
 * const guest = attachRing(Region.attach(memory, "r0"), "work", { kind: "mpmc" });
 * const burst = Burst.of(32, 4);
 * burst.words.set([1, 2, 3]);
 * console.assert(work.enqueueBulk(burst, 3) === 3);
 * console.assert(guest.dequeueBurst(burst, 32) === 3);
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
  const shape = { elementBytes: elementBytesOf(options), capacity: options.capacity ?? size };
  checkRingSize(size);
  checkElementBytes(shape.elementBytes);
  checkCapacity(shape.capacity, size);
  // At least 8 bytes a slot for spsc, so that `inspect` need not know the elements.
  const room = options.kind === "spsc" && shape.elementBytes < 8 ? 8 : shape.elementBytes;
  const bytes = bytesOf(options.kind, size, room);
  const zone = region.addMemzone(name, ZONE_KIND_OF[options.kind], bytes, size, ({ offset }) => {
    if (options.kind === "mpmc") writeShape(region.memory, offset, { ...options, ...shape });
  });
  return attachTo(region, zone, options);
}

/**
 * Find a ring by name (DPDK `rte_ring_lookup`). Several programs may attach to one ring; of a ring
 * of kind `spsc`, one program uses each end. A ring of kind `mpmc` has the shape that it was added
 * with; options that say otherwise are refused.
 *
 * @throws {CulvertError} if there is none of that name and kind, it has another shape, or it does
 * not fit its memzone. One that was added after this side attached is found after
 * `region.refresh()`.
 *
 * @example
 * ```ts
 * import { addRing, attachRing, MappedMemory, Region } from "../api.ts";
 *
 * const memory = MappedMemory.ofProcess(1 << 20);
 * const host = Region.build(memory, "r0");
 * addRing(host, "work", 128, { kind: "mpmc", consumers: "hts", elementBytes: 16, capacity: 100 });
 * host.publish();
 * const ring = attachRing(Region.attach(memory, "r0"), "work", { kind: "mpmc" });
 * console.assert(ring.consumers === "hts" && ring.capacity === 100 && ring.wordsPerElement === 4);
 * memory.close();
 * ```
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
  return attachTo(region, region.zone(name, ZONE_KIND_OF[options.kind]), options);
}

/** What {@linkcode listRings} tells of a ring. */
export interface NamedRing {
  /** Its memzone's name. */
  readonly name: string;
  /** What to attach to it as. */
  readonly kind: RingOptions["kind"];
  /** Slots. */
  readonly size: number;
}

/**
 * All rings of a region that are known here, those of channels included, in the order of their
 * making (DPDK `rte_ring_list_dump`).
 *
 * @example
 * ```ts
 * import { addRing, listRings, MappedMemory, Region } from "../api.ts";
 *
 * const memory = MappedMemory.ofProcess(1 << 20);
 * const region = Region.build(memory, "r0");
 * addRing(region, "in", 64, { kind: "spsc" });
 * addRing(region, "work", 128, { kind: "mpmc" });
 * const found = listRings(region).map(({ name, kind, size }) => `${name} ${kind} ${size}`);
 * console.assert(found.join() === "in spsc 64,work mpmc 128");
 * memory.close();
 * ```
 */
export function listRings(region: Region): NamedRing[] {
  return region.zones.flatMap<NamedRing>(({ name, kind, parameter: size }) => {
    if (kind === ZONE_KIND.RING) return [{ name, kind: "spsc", size }];
    return kind === ZONE_KIND.MPMC ? [{ name, kind: "mpmc", size }] : [];
  });
}

function elementBytesOf({ kind, elementBytes }: RingOptions): ElementBytes {
  return elementBytes ?? (kind === "spsc" ? 8 : 4);
}

function bytesOf(kind: RingOptions["kind"], size: number, elementBytes: ElementBytes): number {
  return kind === "spsc" ? SpscRing.bytes(size, elementBytes) : MpmcRing.bytes(size, elementBytes);
}

function writeShape({ u32 }: MappedMemory, offset: number, shape: MpmcShape): void {
  const word = offset >>> 2;
  u32[word + MPMC.ELEMENT_BYTES] = shape.elementBytes!;
  u32[word + MPMC.CAPACITY] = shape.capacity!;
  u32[word + MPMC.PRODUCERS] = MPMC_SYNC[shape.producers ?? "multi"];
  u32[word + MPMC.CONSUMERS] = MPMC_SYNC[shape.consumers ?? "multi"];
}

/**
 * The shape of the ring at `offset`, or undefined if what is there is none. Each word is read once.
 */
function readShape({ u32 }: MappedMemory, offset: number, size: number): MpmcShape | undefined {
  const word = offset >>> 2;
  const elementBytes = u32[word + MPMC.ELEMENT_BYTES];
  const capacity = u32[word + MPMC.CAPACITY];
  const producers = sharingOf(u32[word + MPMC.PRODUCERS]);
  const consumers = sharingOf(u32[word + MPMC.CONSUMERS]);
  const isSound = isElementBytes(elementBytes) && capacity >= 1 && capacity <= size;
  if (!isSound || !producers || !consumers) return undefined;
  return { elementBytes, capacity, producers, consumers };
}

function sharingOf(sync: number): Sharing | undefined {
  return (Object.keys(MPMC_SYNC) as Sharing[]).find((sharing) => MPMC_SYNC[sharing] === sync);
}

function attachTo(region: Region, zone: Memzone, options: RingOptions): SpscRing | MpmcRing {
  const { memory } = region;
  const { name, offset, size: bytes, parameter: size } = zone;
  const refuse = (found: string, wanted: string) =>
    new CulvertError(`Cannot use ring ${name} of region ${region.name} as ${found}: ${wanted}`);
  const spoiled = "the directory is spoiled; let its host build the region again";
  const isRoomy = (elementBytes: ElementBytes) =>
    isRingSize(size) && bytes >= bytesOf(options.kind, size, elementBytes);
  const tooSmall = () => refuse(`its memzone has ${bytes} bytes for ${size} slots`, spoiled);

  if (options.kind === "spsc") {
    if (!isRoomy(elementBytesOf(options))) throw tooSmall();
    return new SpscRing(memory, offset, size, options);
  }
  if (!isRoomy(4)) throw tooSmall();
  const shape = readShape(memory, offset, size);
  if (!shape) throw refuse("its shape is not possible", spoiled);
  if (!isRoomy(shape.elementBytes!)) throw tooSmall();
  for (const key of ["producers", "consumers", "elementBytes", "capacity"] as const) {
    if (options[key] === undefined || options[key] === shape[key]) continue;
    throw refuse(
      `its ${key} is ${shape[key]}`,
      `${options[key]} is wanted; say the same on all sides`,
    );
  }
  return new MpmcRing(memory, offset, size, { ...options, ...shape });
}
