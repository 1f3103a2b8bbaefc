import { CulvertError, UsageError } from "../../../ffi/error.ts";
import type { GuestPlaceOptions, HostOptions, RegionOptions } from "../../host/host_options.ts";
import { parsePortSpec, portText } from "../../port/port_spec.ts";
import { checkRegions } from "../host_places.ts";
import { type Given, parseOptions, valuesOf } from "../options.ts";
import { HOST } from "../tables/host.ts";

/** Options that can be set while a host runs. */
const SETTABLE = ["idle", "burst", "stats-period", "quarantine-after", "hold-max"] as const;

/** Where a port is to be: the first region and guest 0 if it is not told; to delete one, any. */
export interface Place {
  /** A region's name or path. */
  readonly region?: string;
  /** A guest's number there. */
  readonly guest?: number;
}

/**
 * A host's options with one more port, behind its guest's others; a guest that is not there is
 * added.
 *
 * @throws {CulvertError} if that cannot be.
 */
export function withPort(options: HostOptions, port: string, place: Place): HostOptions {
  const spec = parsePortSpec(port);
  const name = place.region ?? options.regions[0].name;
  const number = place.guest ?? 0;
  checkGuestNumber(number);
  findRegion(options, name);
  return withRegions(options, (region) => {
    if (region.name !== name) return region;
    const isThere = region.guests.some((guest) => guest.number === number);
    const guests: readonly GuestPlaceOptions[] = isThere
      ? region.guests
      : [...region.guests, { number, ports: [] }];
    return {
      ...region,
      guests: guests.map((guest) =>
        guest.number === number ? { ...guest, ports: [...guest.ports, spec] } : guest
      ),
    };
  });
}

/**
 * A host's options without a port; a guest that has no other goes, too.
 *
 * @throws {CulvertError} if there is no such port in that place, or it is the last one of its
 * region.
 */
export function withoutPort(options: HostOptions, port: string, place: Place = {}): HostOptions {
  const wanted = portText(parsePortSpec(port));
  const { region: name, guest: number } = place;
  if (name !== undefined) findRegion(options, name);
  if (number !== undefined) checkGuestNumber(number);
  const isThere = (region: RegionOptions, guest: GuestPlaceOptions) =>
    (name ?? region.name) === region.name && (number ?? guest.number) === guest.number;
  const ports = options.regions
    .flatMap((region) => region.guests.filter((guest) => isThere(region, guest)))
    .flatMap(({ ports }) => ports.map(portText));
  if (!ports.includes(wanted)) {
    const whose = `${number === undefined ? "" : ` of guest ${number}`}` +
      `${name === undefined ? "" : ` in region ${name}`}`;
    throw new CulvertError(
      `Cannot delete port ${port}${whose} as there is none: ` +
        (ports.length > 0 ? `there are ${ports.join(", ")}` : "there is no such guest"),
    );
  }
  return withRegions(options, (region) => ({
    ...region,
    guests: region.guests
      .map((guest) => ({
        ...guest,
        ports: guest.ports.filter((spec) => !isThere(region, guest) || portText(spec) !== wanted),
      }))
      .filter(({ ports }) => ports.length > 0),
  }));
}

/**
 * A host's options with another value of one of `SETTABLE`.
 *
 * @param text As the command line has it.
 * @throws {UsageError} if it cannot be set, or not to that.
 */
export function withSetting(options: HostOptions, name: string, text: string): HostOptions {
  if (!SETTABLE.some((settable) => settable === name)) {
    throw new UsageError(`Cannot set ${name} while the host runs: ${SETTABLE.join(", ")} can be`);
  }
  const { given } = parseOptions(HOST, [`--${name}=${text}`])!;
  return { ...options, ...settingsOf(given) };
}

/** The {@linkcode SETTABLE} options that were given, as a host's options have them. */
function settingsOf(given: readonly Given[]): Partial<HostOptions> {
  const values = valuesOf(HOST.options, given);
  const keyOf = (name: string) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
  return Object.fromEntries(given.map(({ name }) => [keyOf(name), values[name]]));
}

/**
 * Check that a host that runs can take over other options, such as those of a file that was
 * changed: its regions and cores have to stay.
 *
 * @throws {CulvertError} if regions, their memory or cores are others.
 */
export function reloaded(options: HostOptions, wanted: HostOptions): HostOptions {
  const fixed = ({ regions, cores, account }: HostOptions) => ({
    "its regions or their size": regions.map(({ name, size, numaNode }) => ({
      name,
      size,
      numaNode,
    })),
    "its cores": cores,
    "its user or group": account ?? {},
  });
  const [now, then] = [fixed(options), fixed(wanted)];
  for (const what of Object.keys(now) as (keyof typeof now)[]) {
    if (JSON.stringify(now[what]) === JSON.stringify(then[what])) continue;
    throw new CulvertError(`Cannot change ${what} while the host runs: start it anew`);
  }
  return wanted;
}

function checkGuestNumber(number: unknown): void {
  const { least, most } = HOST.options.guest;
  if (Number.isInteger(number) && Number(number) >= least && Number(number) <= most) return;
  throw new UsageError(
    `Cannot use guest ${number} as it is no whole number from ${least} to ${most}`,
  );
}

function findRegion({ regions }: HostOptions, name: string): RegionOptions {
  const found = regions.find((region) => region.name === name);
  if (found) return found;
  const names = regions.map((region) => region.name).join(", ");
  throw new CulvertError(`Cannot find region ${name}: the host has ${names}`);
}

function withRegions(
  options: HostOptions,
  change: (region: RegionOptions) => RegionOptions,
): HostOptions {
  const regions = options.regions.map(change);
  checkRegions(regions, options.cores.length);
  const ports = regions.flatMap(({ guests }) => guests.flatMap(({ ports }) => ports));
  for (const { port, to } of options.mirrors ?? []) {
    if (ports.includes(port) && !ports.some(({ name }) => name === to.name)) continue;
    throw new CulvertError(
      `Cannot change port ${portText(port)}, or add ${
        portText(to)
      }, while the one is mirrored to ` +
        "the other: start the host anew",
    );
  }
  return { ...options, regions };
}
