import type { Log } from "../linux/log.ts";
import { CulvertError } from "../../ffi/error.ts";
import { COUNTER, type Counters, newCounters } from "../port/counters.ts";
import { closeLent } from "../port/kept_ports.ts";
import type { OpenedPort, PortSetup } from "../port/open_port.ts";
import type { PortSpec } from "../port/port_spec.ts";
import { dealPorts } from "./deal_ports.ts";
import type { HostOptions } from "./host_options.ts";
import type { Names } from "./names.ts";

/** A port that a host has opened. */
export interface HostedPort {
  /** Open, on its way to its lcore. */
  readonly opened: OpenedPort;
  /** Open too, if its frames are copied there. */
  readonly mirror?: OpenedPort;
  /** What logs and tables call it. */
  readonly name: string;
  /** Written by its lcore. */
  readonly counters: Counters;
  /** The lcore that runs it, from 0. */
  readonly lcore: number;
  /** Its number among its region's, from 0. */
  readonly number: number;
}

/**
 * Open all ports of a host, and deal them to its lcores.
 *
 * @param before Those of the host before this one: counters go on from theirs.
 * @returns them by region, guest and virtual port, in the order of the options.
 * @throws {CulvertError} if one cannot be opened. Those that were are as they were before.
 */
export function openPorts(
  { regions, mtu, cores, burst, mirrors = [] }: HostOptions,
  names: Names,
  openPort: (spec: PortSpec, mtu: number) => OpenedPort,
  log: Log,
  before: readonly HostedPort[] = [],
): HostedPort[][][] {
  const opened: OpenedPort[] = [];
  const copies = new Map<PortSpec, OpenedPort>();
  try {
    for (const { ports } of regions.flatMap(({ guests }) => guests)) {
      for (const spec of ports) opened.push(openPort(spec, mtu));
    }
    for (const { port, to } of mirrors) copies.set(port, openPort(to, mtu));
  } catch (error) {
    for (const { setup } of [...opened, ...copies.values()]) closeLent(setup);
    restorePorts([...opened, ...copies.values()], log);
    throw error;
  }
  const dealt = dealPorts(opened.map(({ setup }) => setup), cores.length);
  const counters = newCounters(opened.length);
  let next = 0;
  return regions.map(({ name: region, guests }) => {
    let number = 0;
    return guests.map((guest) =>
      guest.ports.map((spec): HostedPort => {
        const port = next++;
        const last = before.find(({ opened: { setup } }) => isSame(setup, opened[port].setup));
        if (last) counters[port].set(last.counters);
        counters[port][COUNTER.CORE] = cores[dealt[port]] + 1;
        counters[port][COUNTER.BURST] = burst;
        return {
          opened: opened[port],
          mirror: copies.get(spec),
          name: names.port(opened[port].setup.name, region, guest.number),
          counters: counters[port],
          lcore: dealt[port],
          number: number++,
        };
      })
    );
  });
}

/** All that is open for a port: itself, and its mirror. */
export function openedBy({ opened, mirror }: HostedPort): OpenedPort[] {
  return mirror ? [opened, mirror] : [opened];
}

/** Whether two ports are on one interface. */
function isSame(a: PortSetup, b: PortSetup): boolean {
  return a.kind === b.kind && a.name === b.name && (a.kind === "tap" || a.kind === "packet");
}

/** Leave interfaces as they were found, as far as they still let us. */
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
