import { CulvertError } from "../../ffi/error.ts";
import { COUNTER, type Counters, newCounters } from "../port/counters.ts";
import type { OpenedPort } from "../port/open_port.ts";
import type { PortSpec } from "../port/port_spec.ts";
import { dealPorts } from "./deal_ports.ts";
import type { HostOptions } from "./host_options.ts";
import type { Names } from "./names.ts";

/** A port that a host has opened. */
export interface HostedPort {
  /** Open, on its way to its lcore. */
  readonly opened: OpenedPort;
  /** What logs and tables call it. */
  readonly name: string;
  /** Written by its lcore. */
  readonly counters: Counters;
  /** The lcore that runs it, from 0. */
  readonly lcore: number;
}

/**
 * Open all ports of a host, and deal them to its lcores.
 *
 * @returns them by region, guest and virtual port, in the order of the options.
 * @throws {CulvertError} if one cannot be opened. Those that were are as they were before.
 */
export function openPorts(
  { regions, mtu, cores, burst }: HostOptions,
  names: Names,
  openPort: (spec: PortSpec, mtu: number) => OpenedPort,
  log: (line: string) => void,
): HostedPort[][][] {
  const opened: OpenedPort[] = [];
  try {
    for (const { ports } of regions.flatMap(({ guests }) => guests)) {
      for (const spec of ports) opened.push(openPort(spec, mtu));
    }
  } catch (error) {
    restorePorts(opened, log);
    throw error;
  }
  const dealt = dealPorts(opened.map(({ setup }) => setup), cores.length);
  const counters = newCounters(opened.length);
  let next = 0;
  return regions.map(({ name: region, guests }) =>
    guests.map(({ number, ports }) =>
      ports.map((): HostedPort => {
        const port = next++;
        counters[port][COUNTER.CORE] = cores[dealt[port]] + 1;
        counters[port][COUNTER.BURST] = burst;
        const name = names.port(opened[port].setup.name, region, number);
        return { opened: opened[port], name, counters: counters[port], lcore: dealt[port] };
      })
    )
  );
}

/** Leave interfaces as they were found, as far as they still let us. */
export function restorePorts(opened: readonly OpenedPort[], log: (line: string) => void): void {
  for (const port of opened) {
    try {
      port.restore();
    } catch (error) {
      if (!(error instanceof CulvertError)) throw error;
      log(error.message);
    }
  }
}
