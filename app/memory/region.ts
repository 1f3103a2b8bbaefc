import { CulvertError } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import {
  hashText,
  HEADER,
  LAYOUT_HASH,
  LAYOUT_VERSION,
  LINE_BYTES,
  MAGIC,
  REGION_STATE,
  ZONE_NAME_BYTES,
  ZONES_BYTES,
  ZONES_MAX,
} from "./layout.ts";
import { checkRegionBytes } from "./region_size.ts";
import { kindName, type Memzone, readDirectory, writeEntry } from "./zone.ts";

/** A region that no host has built yet, or whose host has gone: it may be whole a moment later. */
export class RegionNotReadyError extends CulvertError {}

/**
 * A region: shared memory with a header and a directory of memzones (`layout.ts`).
 *
 * The host that builds it adds memzones, before and after it is published; peers find them by name,
 * and find memzones that were added later by {@linkcode refresh}. A memzone is never removed:
 * nobody could know that all peers that found it have let go of it.
 *
 * @example
 * ```ts
 * import { MappedMemory } from "../../ffi/mapped_memory.ts";
 * import { ZONE_KIND } from "./layout.ts";
 * import { Region } from "./region.ts";
 *
 * const memory = MappedMemory.ofProcess(1 << 20); // in a program: a file, or a PCI device's BAR
 * const host = Region.build(memory, "r0");
 * host.publish();
 * const guest = Region.attach(memory, "r0");
 * host.addMemzone("late", ZONE_KIND.RAW, 4096);
 * console.assert(guest.refresh().map(({ name }) => name).join() === "late");
 * console.assert(guest.zone("late", ZONE_KIND.RAW).size === 4096);
 * memory.close();
 * ```
 */
export class Region {
  readonly #zones: Map<string, Memzone>;
  readonly #isBuilder: boolean;
  readonly #epoch: number;
  #end: number;
  #beats: number;

  private constructor(
    readonly memory: MappedMemory,
    readonly name: string,
    isBuilder: boolean,
    epoch: number,
  ) {
    this.#isBuilder = isBuilder;
    this.#epoch = epoch;
    this.#beats = memory.load(HEADER.HEARTBEAT);
    const found = isBuilder ? [] : readDirectory(memory);
    this.#zones = new Map(found.map((zone) => [zone.name, zone]));
    this.#end = Math.max(ZONES_BYTES, ...this.zones.map(endOf));
  }

  /**
   * Begin a region in fresh or used memory. Guests are refused until {@linkcode publish}. A used
   * region's epoch goes on from where it was, so that its guests see that there is another host.
   *
   * @throws {CulvertError} if no region may have that size.
   */
  static build(memory: MappedMemory, name: string): Region {
    checkRegionBytes(memory.bytes, name);
    const used = memory.u32[HEADER.MAGIC_0] === MAGIC[0] && memory.u32[HEADER.MAGIC_1] === MAGIC[1];
    const epoch = ((used ? memory.u32[HEADER.EPOCH] : 0) + 1) >>> 0;
    memory.store(HEADER.VERSION, 0);
    memory.store(HEADER.STATE, REGION_STATE.BUILDING);
    memory.store(HEADER.EPOCH, epoch); // after VERSION: see attach()
    // Stored one by one, so that a test can have us die between any two of them.
    memory.store(HEADER.MAGIC_0, MAGIC[0]);
    memory.store(HEADER.MAGIC_1, MAGIC[1]);
    memory.store(HEADER.LAYOUT_HASH, LAYOUT_HASH);
    memory.store(HEADER.PAGES, memory.bytes / 4096);
    memory.store(HEADER.ZONE_COUNT, 0);
    return new Region(memory, name, true, epoch);
  }

  /**
   * Attach to a region that a host has published.
   *
   * @throws {RegionNotReadyError} if there is no host: nothing is built, or it is closed.
   * @throws {CulvertError} naming what else is wrong: size, magic, version, layout.
   */
  static attach(memory: MappedMemory, name: string): Region {
    const refuse = (found: string, wanted: string, Kind = CulvertError) =>
      new Kind(`Cannot attach to region ${name} as ${found}: ${wanted}`);
    checkRegionBytes(memory.bytes, name);
    const { u32 } = memory;
    const epoch = memory.load(HEADER.EPOCH); // first: a host that begins later has another
    // Pairs with publish(): all below was written before.
    const version = memory.load(HEADER.VERSION);
    if (u32[HEADER.MAGIC_0] !== MAGIC[0] || u32[HEADER.MAGIC_1] !== MAGIC[1]) {
      const isBlank = u32[HEADER.MAGIC_0] === 0 && u32[HEADER.MAGIC_1] === 0;
      throw refuse(
        "it does not begin with Culvert's magic",
        "is it a region, has a host begun it?",
        isBlank ? RegionNotReadyError : CulvertError,
      );
    }
    if (version === 0) {
      throw refuse(
        "it is half-built",
        "its host is still building it, or died; start the host again",
        RegionNotReadyError,
      );
    }
    if (version !== LAYOUT_VERSION) {
      throw refuse(
        `its layout version is ${version}`,
        `this build reads version ${LAYOUT_VERSION}; run the host's build; a VM has to boot again`,
      );
    }
    if (u32[HEADER.LAYOUT_HASH] !== LAYOUT_HASH) {
      throw refuse(
        `its layout's hash is ${hashText(u32[HEADER.LAYOUT_HASH])}`,
        `this build's is ${hashText(LAYOUT_HASH)}; run the same build of Culvert on both sides`,
      );
    }
    if (u32[HEADER.PAGES] * 4096 > memory.bytes) {
      throw refuse(
        `it has ${memory.bytes} bytes where its header says ${u32[HEADER.PAGES] * 4096}`,
        "give the VM the whole region (QEMU: size=...)",
      );
    }
    if (u32[HEADER.STATE] !== REGION_STATE.READY) {
      throw refuse("its host has closed it", "start the host again", RegionNotReadyError);
    }
    const region = new Region(memory, name, false, epoch);
    if (region.epoch === epoch) return region;
    throw refuse("another host has begun meanwhile", "attach again", RegionNotReadyError);
  }

  /** Changes when a host begins or ends. What was claimed under another epoch is void. */
  get epoch(): number {
    return this.memory.load(HEADER.EPOCH);
  }

  /**
   * The epoch as it was read first of all: as long as {@linkcode epoch} is the same, so is the
   * host.
   */
  get knownEpoch(): number {
    return this.#epoch;
  }

  /** A counter that the host raises as long as it lives. */
  get heartbeat(): number {
    return this.memory.load(HEADER.HEARTBEAT);
  }

  /** Host: say that it is alive; several times a second. */
  beat(): void {
    this.#beats = (this.#beats + 1) >>> 0;
    this.memory.store(HEADER.HEARTBEAT, this.#beats);
  }

  /** The bytes that are not yet given to a memzone. */
  get free(): number {
    return this.memory.bytes - this.#end;
  }

  /** All memzones that are known here, in the order of their making. */
  get zones(): Memzone[] {
    return [...this.#zones.values()];
  }

  /**
   * Peer: learn of memzones that have been added since. Memzones that were known stay as they were.
   *
   * @returns the new ones.
   * @throws {CulvertError} if the region is another host's by now, or its directory is spoiled.
   */
  refresh(): Memzone[] {
    if (this.#isBuilder) return []; // the builder knows all memzones
    const added = readDirectory(this.memory).filter(({ name }) => !this.#zones.has(name));
    // The epoch is read after the directory: if that is another host's, so is the epoch.
    if (this.epoch !== this.#epoch) {
      throw new CulvertError(
        `Cannot read the memzones of region ${this.name} again as its host has gone, or another has ` +
          `come: attach again`,
      );
    }
    for (const zone of added) {
      this.#zones.set(zone.name, zone);
      this.#end = Math.max(this.#end, endOf(zone));
    }
    return added;
  }

  /**
   * Reserve a zeroed memzone, aligned to 128 bytes. Once the region is published, guests may attach
   * while this happens: they see the memzone when it is done, and not before.
   *
   * @param size In bytes.
   * @param fill Writes what must be there before others see the memzone.
   * @throws {CulvertError} if the name is taken or too long, there is no room, or the region was
   * not built here.
   */
  addMemzone(
    name: string,
    kind: number,
    size: number,
    parameter = 0,
    fill?: (zone: Memzone) => void,
  ): Memzone {
    const refuse = (found: string, wanted: string) =>
      new CulvertError(`Cannot add memzone ${name} to region ${this.name} as ${found}: ${wanted}`);
    if (!this.#isBuilder) {
      throw refuse("it was attached to, not built here", "let the one that builds it add memzones");
    }
    const length = new TextEncoder().encode(name).length;
    if (length === 0 || length > ZONE_NAME_BYTES) {
      throw refuse(`its name has ${length} bytes`, `1 to ${ZONE_NAME_BYTES} fit`);
    }
    if (name.includes("\0")) throw refuse("its name has a NUL in it", "leave that out");
    if (this.#zones.has(name)) throw refuse("there is one of that name", "choose another");
    if (this.#zones.size === ZONES_MAX) {
      throw refuse("the directory is full", `${ZONES_MAX} memzones fit; use fewer ports or guests`);
    }
    if (!Number.isSafeInteger(size) || size < 1) {
      throw refuse(`it is to have ${size} bytes`, "a whole number from 1 up is wanted");
    }
    if (size > this.free) {
      throw refuse(
        `it needs ${size} bytes where ${this.free} are free`,
        "make the region larger (--size) or ask for fewer mbufs (--mbufs)",
      );
    }
    const zone = { name, kind, offset: this.#end, size, parameter };
    this.memory.u8.fill(0, zone.offset, zone.offset + size);
    fill?.(zone);
    writeEntry(this.memory, this.#zones.size, zone);
    this.#zones.set(name, zone);
    this.#end = endOf(zone);
    return zone;
  }

  /**
   * A memzone by name.
   *
   * @throws {CulvertError} if there is none of that name and kind.
   */
  zone(name: string, kind: number): Memzone {
    const zone = this.#zones.get(name);
    if (zone?.kind !== kind) {
      throw new CulvertError(
        `Cannot find memzone ${name} in region ${this.name} as ` +
          (zone ? `it is of kind ${kindName(zone.kind)} there` : "there is none of that name") +
          `: kind ${kindName(kind)} is wanted`,
      );
    }
    return zone;
  }

  /** Open the region to guests: all that was written before becomes visible with `VERSION`. */
  publish(): void {
    this.memory.store(HEADER.STATE, REGION_STATE.READY);
    this.memory.store(HEADER.VERSION, LAYOUT_VERSION); // pairs with the load in attach()
  }

  /** Let no guest attach any more; guests that are attached go on. */
  withdraw(): void {
    this.memory.store(HEADER.STATE, REGION_STATE.CLOSED);
  }

  /** Tell guests that this host goes away. */
  close(): void {
    // A guest may have written over it, and a server reads here whether a host has ended.
    this.memory.u32[HEADER.MAGIC_0] = MAGIC[0];
    this.memory.u32[HEADER.MAGIC_1] = MAGIC[1];
    this.memory.store(HEADER.STATE, REGION_STATE.CLOSED);
    this.memory.store(HEADER.EPOCH, (this.#epoch + 1) >>> 0);
  }
}

/** Where the next memzone may start. */
function endOf({ offset, size }: Memzone): number {
  return Math.ceil((offset + size) / LINE_BYTES) * LINE_BYTES;
}
