import type { Log } from "../linux/log.ts";
import { CulvertError } from "../../ffi/error.ts";
import { COUNTER, type Counters, newCounters, sumOf } from "../port/counters.ts";
import { closeLent } from "../port/kept_ports.ts";
import type { OpenedPort } from "../port/open_port.ts";
import { isOnInterface, type PortSpec } from "../port/port_spec.ts";
import { dealPorts } from "./deal_ports.ts";
import type { HostOptions } from "./host_options.ts";
import type { PlacedPort } from "./lay_out.ts";
import type { Names } from "./names.ts";
import type { CountedPort } from "./summary.ts";

/** A port that a host has opened; if it has several queues, one of them. */
export interface HostedPort extends PlacedPort {
  /** The open port, on its way to its lcore. */
  readonly opened: OpenedPort;
  /** Its region's name or path. */
  readonly region: string;
  /** Its guest's number there. */
  readonly guest: number;
  /** The open TAP of its mirror, if its frames are copied. */
  readonly mirror?: OpenedPort;
  /** What logs and tables call it. */
  readonly name: string;
  /** Its counters, written by its lcore. */
  readonly counters: Counters;
  /** The lcore that runs it, from 0. */
  readonly lcore: number;
}

/**
 * Open all ports of a host, and deal their queues to its lcores.
 *
 * @param before The ports of the host before this one, whose counters go on.
 * @returns them by region, guest, virtual port and queue, in the order of the options.
 * @throws {CulvertError} if one cannot be opened. Those that were opened are as they were before.
 */
export function openPorts(
  { regions, mtu, cores, burst, mirrors = [] }: HostOptions,
  names: Names,
  openPort: (spec: PortSpec, mtu: number) => OpenedPort,
  log: Log,
  before: readonly HostedPort[] = [],
): HostedPort[][][] {
  const opened: OpenedPort[] = [];
  const copies = new Map<PortSpec, readonly OpenedPort[]>();
  const open = (spec: PortSpec) => {
    const port = openPort(spec, mtu);
    opened.push(port);
    return queuesOf(port);
  };
  let places;
  try {
    places = regions.map(({ guests }) =>
      guests.map(({ ports }) =>
        ports.flatMap((spec, port) =>
          open(spec).map((opened, queue, all) => ({
            spec,
            opened,
            port,
            queue,
            queues: all.length,
          }))
        )
      )
    );
    for (const { port, to } of mirrors) copies.set(port, open(to));
  } catch (error) {
    opened.forEach(closeLent);
    restorePorts(opened, log);
    throw error;
  }
  const all = places.flat(2);
  const dealt = dealPorts(all.map(({ opened: { setup } }) => setup), cores.length);
  const counters = newCounters(all.length);
  const left = [...before];
  let next = 0;
  return places.map((guests, r) => {
    const { name: region, guests: options } = regions[r];
    return guests.map((queues, g) =>
      queues.map(({ spec, ...placed }): HostedPort => {
        const at = next++;
        const place = { ...placed, region, guest: options[g].number };
        const last = left.findIndex((port) => isSame(port, place));
        if (last >= 0) goOn(counters[at], left.splice(last, 1)[0].counters);
        else counters[at][COUNTER.RUN] = Math.random();
        counters[at][COUNTER.CORE] = cores[dealt[at]] + 1;
        counters[at][COUNTER.BURST] = burst;
        return {
          ...place,
          mirror: copies.get(spec)?.[place.queue],
          name: names.port(place.opened.setup.name, region, place.guest),
          counters: counters[at],
          lcore: dealt[at],
        };
      })
    );
  });
}

/** A port's queues, each as a port; the first leaves the interface as it was found. */
function queuesOf({ others = [], ...first }: OpenedPort): OpenedPort[] {
  return [first, ...others.map((setup) => ({ setup, mac: first.mac, restore: () => {} }))];
}

/** Ports as users count them: the queues of each are summed, at the moment of the question. */
export function summedPorts(ports: readonly HostedPort[]): (HostedPort & CountedPort)[] {
  return ports.filter(({ queue }) => queue === 0).map((port) => {
    if (port.queues === 1) return port;
    const at = ports.indexOf(port);
    const all = ports.slice(at, at + port.queues).map(({ counters }) => counters);
    return Object.defineProperty({ ...port }, "counters", { get: () => sumOf(all) });
  });
}

/** The names of ports, and how many queues those have that have several. */
export function portsText(ports: readonly HostedPort[]): string {
  return ports.filter(({ queue }) => queue === 0)
    .map(({ name, queues }) => queues > 1 ? `${name} (${queues} queues)` : name).join(", ");
}

/** All that is open for a port: itself, and its mirror. */
export function openedBy({ opened, mirror }: HostedPort): OpenedPort[] {
  return mirror ? [opened, mirror] : [opened];
}

/** Count on from what the port has counted before, but for what its new lcore counts from 0 on. */
function goOn(counters: Counters, before: Counters): void {
  counters.set(before);
  for (const at of [COUNTER.LCORE_NS, COUNTER.IDLE_NS]) counters[at] = 0;
}

/**
 * Whether two are the same queue of one port. Interfaces and files are used once by a host, and may
 * move to another guest; other ports may have a name that others have, as the ends of a link do.
 */
function isSame(a: Place, b: Place): boolean {
  const [{ kind, name }, other] = [a.opened.setup, b.opened.setup];
  const isOne = kind === other.kind && name === other.name && a.queue === b.queue;
  const isUnique = isOnInterface({ kind }) || kind === "pcap";
  return isOne && (isUnique || a.region === b.region && a.guest === b.guest);
}

/** A queue, and whose it is. */
type Place = PlacedPort & Pick<HostedPort, "region" | "guest">;

/** Leave interfaces as they were found, as far as that is still possible. */
export function restorePorts(opened: readonly OpenedPort[], log: Log): void {
  for (const port of opened) {
    try {
      port.restore();
    } catch (error) {
      if (!(error instanceof CulvertError)) throw error;
      log(error.message, { level: "error" });
    }
  }
}
