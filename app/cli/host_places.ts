import { UsageError } from "../../ffi/error.ts";
import type { GuestPlaceOptions, RegionOptions } from "../host/host_options.ts";
import { checkRegionBytes } from "../memory/region_size.ts";
import { checkRegionName } from "../memory/region_name.ts";
import { ConfigError, type Fault, type Origin } from "./config/config_error.ts";
import { checkUsage, type Given } from "./options.ts";
import { checkInterfaceName } from "../port/interface.ts";
import { isOnInterface, parsePortSpec, type PortSpec, portText } from "../port/port_spec.ts";
import { checkRingSize } from "../ring/ring_size.ts";

/** The region of a command line that names none. */
const REGION_DEFAULT = "culvert0";

/** Ports that one guest has channels for. */
const PORTS_MAX = 32;

/** How a host gets more lcores. */
export const MORE_CORES = "as many cores (-l)";

/** Options of a region, or of all regions if they stand before the first. */
const REGION_OPTIONS: Readonly<Record<string, keyof RegionOptions>> = {
  "size": "size",
  "mbufs": "mbufs",
  "ring-size": "ringSize",
  "numa-node": "numaNode",
};

type Changing<T> = { -readonly [K in keyof T]: T[K] };

interface Place extends Changing<GuestPlaceOptions> {
  readonly ports: PortSpec[];
}

/** A region that is being read; its name is not yet known if its ports came first. */
interface Begun {
  name?: string;
  readonly origin?: Origin;
  readonly own: Partial<RegionOptions>[];
  readonly guests: Place[];
}

/**
 * Read regions, guests and ports in the order of the command line, as ffmpeg and QEMU have it:
 * `--region` begins a region, `--guest` a place in it, `--port` adds a port to that. A single
 * `--region` may also stand behind all ports.
 *
 * @param lcores How many lcores the host has.
 * @param more What gives the host more lcores, for errors; left out if it has all that there are.
 * @throws {UsageError} naming the option, what was found and what is wanted. Of a file it names all
 * that cannot be read, up to a region or guest that cannot begin; else all that does not fit.
 */
export function readRegions(
  options: readonly Given[],
  lcores = Infinity,
  more?: string,
): RegionOptions[] {
  const faults = new PlaceFaults();
  const reader = new RegionReader(faults);
  for (const { name, value, origin } of options) {
    const { count } = faults;
    faults.collect(origin, () => reader.read(name, value, origin));
    if (name !== "port" && faults.count > count) break; // what stands behind would go elsewhere
  }
  faults.check();
  const regions = reader.finish();
  const ports = regions.flatMap(({ guests }) => guests.flatMap(({ ports }) => ports));
  for (const port of ports) {
    faults.collect(reader.originOf(port), () => checkPort(port, ports, lcores, more));
  }
  faults.check();
  return regions;
}

/**
 * Check that a host of so many lcores can have these regions.
 *
 * @throws {UsageError} if not.
 */
export function checkRegions(regions: readonly RegionOptions[], lcores: number): void {
  regions.forEach(checked);
  const ports = regions.flatMap(({ guests }) => guests.flatMap(({ ports }) => ports));
  for (const port of ports) checkPort(port, ports, lcores, MORE_CORES);
}

/** What is wrong with regions, guests and ports of a file. */
class PlaceFaults {
  #file = "";
  readonly #faults: Fault[] = [];

  /** How many faults there are. */
  get count(): number {
    return this.#faults.length;
  }

  /** Do `work`. If it refuses something that stands in a file, that is thrown later. */
  collect<T>(origin: Origin | undefined, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (origin === undefined || !(error instanceof UsageError)) throw error;
      this.#file = origin.file;
      this.#faults.push({ place: origin.place, message: error.message });
    }
  }

  /** Throw what was collected, if anything was. */
  check(): void {
    if (this.#faults.length > 0) throw new ConfigError(this.#file, this.#faults);
  }
}

class RegionReader {
  readonly #regions: Begun[] = [];
  readonly #defaults: Partial<RegionOptions>[] = [{ ringSize: 1024 }];
  /** The region whose name came behind its ports. */
  #late?: string;
  /** Where ports stand in a file. */
  readonly #origins = new Map<PortSpec, Origin | undefined>();

  constructor(private readonly faults: PlaceFaults) {}

  originOf(port: PortSpec): Origin | undefined {
    return this.#origins.get(port);
  }

  read(option: string, value: Given["value"], origin?: Origin): void {
    if (option === "region") this.#beginRegion(String(value), origin);
    else if (option === "guest") this.#beginGuest(Number(value));
    else if (option === "port") this.#origins.set(this.#addPort(String(value)), origin);
    else if (Object.hasOwn(REGION_OPTIONS, option)) this.#set({ [REGION_OPTIONS[option]]: value });
  }

  finish(): RegionOptions[] {
    if (this.#regions.every(({ guests, origin }) => !origin && guests.length === 0)) refusePorts(0);
    return this.#regions.flatMap(({ name = REGION_DEFAULT, origin, own, guests }) => {
      const given = Object.assign({}, ...this.#defaults, ...own);
      return this.faults.collect(origin, () => checked({ ...given, name, guests })) ?? [];
    });
  }

  #beginRegion(name: string, origin?: Origin): void {
    checkUsage(() => checkRegionName(name));
    this.#refuseBehind(`--region ${name}`);
    if (this.#regions.some((region) => region.name === name)) {
      throw new UsageError(`Cannot use region ${name} twice: name all its ports behind it`);
    }
    const [first] = this.#regions;
    if (first && first.name === undefined) this.#late = first.name = name;
    else this.#regions.push({ name, origin, own: [], guests: [] });
  }

  #beginGuest(number: number): void {
    this.#refuseBehind(`--guest ${number}`);
    const { name, guests } = this.#region();
    if (guests.some((guest) => guest.number === number)) {
      const where = name === undefined ? "" : ` of region ${name}`;
      throw new UsageError(
        `Cannot use guest ${number}${where} twice: name all its ports behind it`,
      );
    }
    guests.push({ number, ports: [] });
  }

  #addPort(text: string): PortSpec {
    this.#refuseBehind(`--port ${text}`);
    const { guests } = this.#region();
    if (guests.length === 0) guests.push({ number: 0, ports: [] });
    const port = parsePortSpec(text);
    guests[guests.length - 1].ports.push(port);
    return port;
  }

  #set(given: Partial<RegionOptions>): void {
    (this.#regions.at(-1)?.own ?? this.#defaults).push(given);
  }

  /** The region that ports belong to now. */
  #region(): Begun {
    if (this.#regions.length === 0) this.#regions.push({ own: [], guests: [] });
    return this.#regions[this.#regions.length - 1];
  }

  #refuseBehind(what: string): void {
    if (this.#late === undefined) return;
    throw new UsageError(
      `Cannot use ${what} behind --region ${this.#late} as ports stand before that: put each ` +
        `--region before its ports`,
    );
  }
}

/** Check the options of a region, and return it. */
function checked(region: RegionOptions): RegionOptions {
  const { name, size, ringSize, guests } = region;
  checkUsage(() => checkRingSize(ringSize));
  if (size !== undefined) checkUsage(() => checkRegionBytes(size, name));
  if (guests.length === 0) {
    throw new UsageError(`Cannot use region ${name} without ports: name them behind it (--port)`);
  }
  for (const { number, ports } of guests) {
    if (ports.length === 0) {
      throw new UsageError(
        `Cannot use guest ${number} of region ${name} without ports: name them behind it (--port)`,
      );
    }
    const channels = ports.reduce((sum, { queues = 1 }) => sum + queues, 0);
    if (channels > PORTS_MAX) refusePorts(channels);
  }
  return region;
}

function refusePorts(found: number): never {
  throw new UsageError(
    `Cannot forward between ${found} ports: name 1 to ${PORTS_MAX} with --port KIND:NAME`,
  );
}

/** Interfaces and rings are named once, links twice; each queue has an lcore. */
function checkPort(
  port: PortSpec,
  ports: readonly PortSpec[],
  lcores: number,
  more?: string,
): void {
  const { kind, name, queues = 1 } = port;
  if (queues > lcores) {
    throw new UsageError(
      `Cannot use port ${portText(port)} as each of its queues takes a core, and the host has ` +
        `${lcores}: name ${more ? `${more}, or ` : ""}fewer queues`,
    );
  }
  if (isOnInterface({ kind })) checkUsage(() => checkInterfaceName(name));
  if (kind === "null" || name === "") return;
  const found = ports.filter((port) => port.kind === kind && port.name === name).length;
  if (kind === "link" && found !== 2) {
    throw new UsageError(
      `Cannot use port link:${name} as it is named ${found === 1 ? "once" : `${found} times`}: ` +
        `a link has two ends`,
    );
  }
  if (kind !== "link" && found > 1) {
    const again = kind === "pcap" ? ", the second time as pcap:./IN" : "";
    throw new UsageError(`Cannot use port ${kind}:${name} twice: name it once${again}`);
  }
}
