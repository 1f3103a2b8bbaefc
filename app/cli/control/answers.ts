import { MappedMemory } from "../../../ffi/mapped_memory.ts";
import type { HostControl } from "../../host/host_control.ts";
import type { HostOptions } from "../../host/host_options.ts";
import { decodeRegion } from "../../inspect/decode.ts";
import { COUNTER, droppedBy, DROPS } from "../../port/counters.ts";
import { portText } from "../../port/port_spec.ts";
import { VERSION } from "../version.ts";
import { withoutPort, withPort, withSetting } from "./changes.ts";
import { type Answers, greeting } from "./control_server.ts";

/** What answers ask of the program. */
export interface Program {
  /** Controls the host that runs. */
  readonly control: HostControl;
  /**
   * Does what the configuration says now; fails if there is none. Returns the milliseconds for
   * which frames have waited.
   */
  reload(): Promise<number>;
  /** Ends the host in order. */
  stop(): void;
}

/**
 * The paths of a host's control: some of DPDK's, with its keys, and our own below `/culvert`.
 * Numbers of ports are those of the host, in the order of its options.
 */
export function answersOf({ control, reload, stop }: Program): Answers {
  const ports = () => control.host?.summedPorts ?? [];
  const portOf = (text: string) => {
    const port = ports()[Number(text)];
    if (/^\d+$/.test(text) && port) return port;
    throw new Error(`Cannot find port ${text}: there are 0 to ${ports().length - 1}`);
  };
  const regions = () =>
    (control.host?.regions ?? []).map(({ name, handle }) => ({
      name,
      report: decodeRegion(new MappedMemory(handle.memory)),
    }));
  const rings = () =>
    regions().flatMap(({ name, report }) =>
      report.rings.map((ring) => ({ name: `${name}/${ring.name}`, ring }))
    );
  const pools = () =>
    (control.host?.regions ?? []).map(({ name, mbufs, handle }) => ({ name, mbufs, handle }));
  const named = <T extends { name: string }>(all: readonly T[], name: string): T => {
    const found = all.find((one) => one.name === name);
    if (found) return found;
    throw new Error(`Cannot find ${name}: there are ${all.map((one) => one.name).join(", ")}`);
  };
  const told = (waited: number) => ({ waited_ms: Math.round(waited) });
  const change = async (options: HostOptions) => told(await control.change(options));
  const answers: [string, (parameters: string) => unknown][] = [
    ["/", () => answers.map(([path]) => path)],
    ["/info", () => JSON.parse(greeting())],
    ["/ethdev/list", () => ports().map((_, number) => number)],
    ["/ethdev/info", (text) => {
      const { name, lcore, opened: { setup, mac } } = portOf(text);
      return { name, kind: setup.kind, mac_addr: mac.toHex().replace(/..(?!$)/g, "$&:"), lcore };
    }],
    ["/ethdev/stats", (text) => statsOf(portOf(text).counters)],
    ["/ethdev/xstats", (text) => {
      const { counters } = portOf(text);
      return Object.fromEntries(
        DROPS.map(({ counter, reason }) => [`dropped: ${reason}`, counters[counter]]),
      );
    }],
    ["/ethdev/link_status", (text) => ({
      status: portOf(text).counters[COUNTER.DOWN] === 1 ? "DOWN" : "UP",
    })],
    ["/ring/list", () => rings().map(({ name }) => name)],
    ["/ring/info", (name) => named(rings(), name).ring],
    ["/mempool/list", () => pools().map(({ name }) => name)],
    ["/mempool/info", (name) => {
      const { mbufs, handle: { geometry } } = named(pools(), name);
      return {
        name,
        size: mbufs.total,
        elt_size: geometry.stride,
        total_cache_count: 0,
        common_pool_count: mbufs.available,
      };
    }],
    ["/culvert/version", () => VERSION],
    ["/culvert/options", () => describe(control.options)],
    ["/culvert/port/add", (text) => {
      const { port, ...place } = JSON.parse(text);
      return change(withPort(control.options, String(port), place));
    }],
    ["/culvert/port/del", (text) => {
      const { port, ...place } = JSON.parse(text);
      return change(withoutPort(control.options, String(port), place));
    }],
    ["/culvert/set", (text) => {
      const { name, value } = JSON.parse(text);
      return change(withSetting(control.options, name, String(value)));
    }],
    ["/culvert/reload", async () => told(await reload())],
    ["/culvert/drain", () => {
      stop();
      return { stopping: true };
    }],
  ];
  return new Map(answers);
}

/** Counters of a port by the names of `rte_eth_stats`. */
function statsOf(counters: Float64Array): Record<string, number> {
  return {
    ipackets: counters[COUNTER.RX],
    opackets: counters[COUNTER.TX],
    ibytes: counters[COUNTER.RX_BYTES],
    obytes: counters[COUNTER.TX_BYTES],
    imissed: counters[COUNTER.MISSED],
    ierrors: counters[COUNTER.RUNT] + counters[COUNTER.OVERSIZE] + counters[COUNTER.OFFLOAD],
    oerrors: counters[COUNTER.TX_FULL] + counters[COUNTER.TX_REFUSED],
    rx_nombuf: counters[COUNTER.NO_MBUF],
    dropped: droppedBy(counters),
  };
}

/** What a host does, by the names of its options. */
function describe({ regions, idle, burst, mtu, cores }: HostOptions): unknown {
  return {
    idle,
    burst,
    mtu,
    cores,
    regions: regions.map(({ name, guests }) => ({
      name,
      guests: guests.map(({ number, ports }) => ({ number, ports: ports.map(portText) })),
    })),
  };
}
