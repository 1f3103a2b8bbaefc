import { CulvertError } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import {
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
import { appendEntry, type Memzone, readDirectory } from "./zone.ts";

/** Smallest region in bytes: QEMU wants at least a page, a host some mbufs. */
export const REGION_MIN_BYTES: number = 1 << 20;

/** Largest region in bytes: the most that a WebAssembly memory can cover. */
export const REGION_MAX_BYTES = 2 ** 32;

/**
 * Check a region's size.
 *
 * @throws {CulvertError} if it is not a power of two from 1 MiB to 4 GiB.
 */
export function checkRegionBytes(bytes: number, name: string): void {
  if (bytes < REGION_MIN_BYTES) {
    throw new CulvertError(
      `Cannot use region ${name} as it has ${bytes} bytes: 1 MiB is the least`,
    );
  }
  if (bytes > REGION_MAX_BYTES || 2 ** Math.round(Math.log2(bytes)) !== bytes) {
    throw new CulvertError(
      `Cannot use region ${name} as it has ${bytes} bytes: QEMU takes powers of two only; ` +
        `use 1M, 2M, 4M ... 4G`,
    );
  }
}

/** A region: shared memory with a header and a directory of memzones (`layout.ts`). */
export class Region {
  readonly #zones: Map<string, Memzone>;
  #end: number;

  private constructor(readonly memory: MappedMemory, readonly name: string) {
    this.#zones = new Map(readDirectory(memory).map((zone) => [zone.name, zone]));
    this.#end = Math.max(ZONES_BYTES, ...this.zones.map(endOf));
  }

  /**
   * Begin a region in fresh or used memory. It stays refused to guests until {@linkcode publish}.
   * A used region's epoch goes on from where it was, so that its guests see that the host is another.
   *
   * @throws {CulvertError} if the size is none that a region may have.
   */
  static build(memory: MappedMemory, name: string): Region {
    checkRegionBytes(memory.bytes, name);
    const used = memory.u32[HEADER.MAGIC_0] === MAGIC[0] && memory.u32[HEADER.MAGIC_1] === MAGIC[1];
    const epoch = used ? memory.u32[HEADER.EPOCH] : 0;
    memory.store(HEADER.VERSION, 0);
    memory.store(HEADER.STATE, REGION_STATE.BUILDING);
    memory.store(HEADER.EPOCH, (epoch + 1) >>> 0);
    memory.u32[HEADER.MAGIC_0] = MAGIC[0];
    memory.u32[HEADER.MAGIC_1] = MAGIC[1];
    memory.u32[HEADER.LAYOUT_HASH] = LAYOUT_HASH;
    memory.u32[HEADER.PAGES] = memory.bytes / 4096;
    memory.u32[HEADER.ZONE_COUNT] = 0;
    return new Region(memory, name);
  }

  /**
   * Attach to a region that a host has published.
   *
   * @throws {CulvertError} naming what is wrong: size, magic, version, layout, state.
   */
  static attach(memory: MappedMemory, name: string): Region {
    const refuse = (found: string, wanted: string) =>
      new CulvertError(`Cannot attach to region ${name} as ${found}: ${wanted}`);
    checkRegionBytes(memory.bytes, name);
    const { u32 } = memory;
    const version = memory.load(HEADER.VERSION); // pairs with publish(): all below was written before
    if (u32[HEADER.MAGIC_0] !== MAGIC[0] || u32[HEADER.MAGIC_1] !== MAGIC[1]) {
      throw refuse(
        "it does not begin with Culvert's magic",
        "is it a region, has a host begun it?",
      );
    }
    if (version === 0) {
      throw refuse("it is half-built", "its host is still at it or died; start the host again");
    }
    if (version !== LAYOUT_VERSION) {
      throw refuse(
        `its layout version is ${version}`,
        `this build reads version ${LAYOUT_VERSION}`,
      );
    }
    if (u32[HEADER.LAYOUT_HASH] !== LAYOUT_HASH) {
      throw refuse("its layout differs", "run the same build of Culvert on both sides");
    }
    if (u32[HEADER.PAGES] * 4096 > memory.bytes) {
      throw refuse(
        `it has ${memory.bytes} bytes where its header says ${u32[HEADER.PAGES] * 4096}`,
        "give the VM the whole region (QEMU: size=...)",
      );
    }
    if (u32[HEADER.STATE] !== REGION_STATE.READY) {
      throw refuse("its host has closed it", "start the host again");
    }
    return new Region(memory, name);
  }

  /** Changes when a host begins or ends: whoever remembers another one has nothing here any more. */
  get epoch(): number {
    return this.memory.load(HEADER.EPOCH);
  }

  /** A number that changes while the host lives. */
  get heartbeat(): number {
    return this.memory.load(HEADER.HEARTBEAT);
  }

  /** Host: say that it is alive; some times a second. */
  beat(): void {
    this.memory.store(HEADER.HEARTBEAT, (this.heartbeat + 1) >>> 0);
  }

  /** The bytes that are not yet given to a memzone. */
  get free(): number {
    return this.memory.bytes - this.#end;
  }

  /** All memzones, in the order of their making. */
  get zones(): Memzone[] {
    return [...this.#zones.values()];
  }

  /**
   * Reserve a zeroed memzone, aligned to 128 bytes.
   *
   * @param size In bytes.
   * @throws {CulvertError} if the name is taken or too long, or there is no room.
   */
  addMemzone(name: string, kind: number, size: number, parameter = 0): Memzone {
    const refuse = (found: string, wanted: string) =>
      new CulvertError(`Cannot add memzone ${name} to region ${this.name} as ${found}: ${wanted}`);
    const length = new TextEncoder().encode(name).length;
    if (length === 0 || length > ZONE_NAME_BYTES) {
      throw refuse(`its name has ${length} bytes`, `1 to ${ZONE_NAME_BYTES} fit`);
    }
    if (this.#zones.has(name)) throw refuse("there is one of that name", "choose another");
    if (this.#zones.size === ZONES_MAX) {
      throw refuse("the directory is full", `${ZONES_MAX} memzones fit; use fewer ports or guests`);
    }
    if (size > this.free) {
      throw refuse(
        `it needs ${size} bytes where ${this.free} are free`,
        "make the region larger (--size) or ask for fewer mbufs (--mbufs)",
      );
    }
    const zone = { name, kind, offset: this.#end, size, parameter };
    this.memory.u8.fill(0, zone.offset, zone.offset + size);
    appendEntry(this.memory, zone);
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
        `Cannot find memzone ${name} in region ${this.name} as it has ` +
          `${zone ? `kind ${zone.kind} there` : "none of that name"}: kind ${kind} is wanted`,
      );
    }
    return zone;
  }

  /** Open the region to guests: all that was written before becomes visible with `VERSION`. */
  publish(): void {
    this.memory.store(HEADER.STATE, REGION_STATE.READY);
    this.memory.store(HEADER.VERSION, LAYOUT_VERSION); // pairs with the load in attach()
  }

  /** Tell guests that this host goes away. */
  close(): void {
    this.memory.store(HEADER.STATE, REGION_STATE.CLOSED);
    this.memory.store(HEADER.EPOCH, (this.epoch + 1) >>> 0);
  }
}

/** Where the next memzone may start. */
function endOf({ offset, size }: Memzone): number {
  return Math.ceil((offset + size) / LINE_BYTES) * LINE_BYTES;
}
