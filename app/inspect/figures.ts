/**
 * What a region has done between two looks: rates, shares and fills, for `culvert top` and
 * `culvert metrics`.
 *
 * @module
 */
import { COUNTER, DROP_LABELS, DROPS } from "../port/counters.ts";
import { COUNTER_KEYS } from "./decode_channel.ts";
import { countersOf, type PortReport, portsOf } from "./port_queues.ts";
import type { ChannelReport, RegionReport, RingReport } from "./region_report.ts";
import type { RegionLook } from "./region_watch.ts";

/** Bytes that a frame takes on the wire beside its own: FCS, preamble, gap (IEEE 802.3). */
const WIRE_OVERHEAD_BYTES = 24;

/** Frames in one direction of a port. */
export interface Flow {
  /** Frames in all. */
  readonly frames: number;
  /** Bytes in all, FCS not included. */
  readonly bytes: number;
  /** Frames a second. */
  readonly frameRate: number;
  /** Bits a second on the wire: with FCS, preamble and gap of each frame. */
  readonly bitRate: number;
  /** Share of a burst that is filled on average, 0 to 1; undefined if there was none. */
  readonly burstFill?: number;
}

/** Frames that were dropped for one reason. */
export interface Drop {
  /** The reason as metrics call it: `ring_full`. */
  readonly label: string;
  /** The reason in words. */
  readonly reason: string;
  /** Frames in all. */
  readonly frames: number;
  /** Frames a second. */
  readonly frameRate: number;
}

/** How full a ring is. */
export interface Fill {
  /** Slots in use. */
  readonly used: number;
  /** All slots. */
  readonly slots: number;
}

/** A port of a host, and its channels to a guest: all its queues together. */
export interface PortFigures {
  /** The guest's control memzone: `g0`. */
  readonly guest: string;
  /** Its number among the guest's ports, from 0. */
  readonly number: number;
  /** Its name at the host: `tap0`. */
  readonly name: string;
  /** The cores that forward for it, by queue; none if the host does not tell. */
  readonly cores: readonly number[];
  /** Whether its interface is down. */
  readonly isDown: boolean;
  /** Frames from the port to the guest. */
  readonly rx: Flow;
  /** Frames from the guest to the port. */
  readonly tx: Flow;
  /** Drops by reason; reasons without drops are left out. */
  readonly drops: readonly Drop[];
  /** All of {@linkcode drops}. */
  readonly dropped: Pick<Drop, "frames" | "frameRate">;
  /** Rings by name: `rx`, `tx`, `lend`, `giveback`. */
  readonly rings: Readonly<Record<string, Fill>>;
  /** Everything that is counted, by the places in `COUNTER`. */
  count(counter: number): number;
}

/** An lcore of a host. */
export interface LcoreFigures {
  /** The core that it is pinned to. */
  readonly core: number;
  /** Seconds for which it has run. */
  readonly seconds: number;
  /** Seconds of these in which it had nothing to do. */
  readonly idleSeconds: number;
  /** Share of the time in which it had work, 0 to 1; undefined after one look. */
  readonly busy?: number;
}

/** What is to be shown of a region. */
export interface RegionFigures {
  /** Its name or path. */
  readonly name: string;
  /** What was found in it. */
  readonly report: RegionReport;
  /** Ports of all guests, in the order of the directory. */
  readonly ports: readonly PortFigures[];
  /** The lcores of its ports, by core. */
  readonly lcores: readonly LcoreFigures[];
  /** The host's mbufs. */
  readonly mbufs: { readonly free: number; readonly total: number };
}

/**
 * The figures of a region.
 *
 * @param before The look before this one: without it, or if it was at another host, rates are 0.
 */
export function figuresOf(
  { name, report, run }: RegionLook & { readonly report: RegionReport },
  before?: RegionLook,
): RegionFigures {
  const last = before?.run === run ? before.report : undefined;
  const lastOf = new Map(last?.channels.map((channel) => [channel.name, channel]));
  const lastPorts = new Map(portsOf(last?.channels ?? []).map((port) => [port.name, port]));
  const rings = new Map(report.rings.map((ring) => [ring.name, ring]));
  const ports = portsOf(report.channels).map((port) =>
    portFigures(port, lastPorts.get(port.name), rings)
  );
  return {
    name,
    report,
    ports,
    lcores: lcoreFigures(report.channels, lastOf),
    mbufs: {
      free: report.host?.mbufsFree ?? 0,
      total: report.mbufs.reduce((sum, { count }) => sum + count, 0),
    },
  };
}

function portFigures(
  port: PortReport,
  last: PortReport | undefined,
  rings: ReadonlyMap<string, RingReport>,
): PortFigures {
  const [counters, before] = [countersOf(port), last && countersOf(last)];
  const count = (counter: number) => counters[counter];
  const since = (counter: number) => before ? Math.max(0, count(counter) - before[counter]) : 0;
  const seconds = since(COUNTER.SHOWN_MS) / 1000;
  const rate = (counter: number) => seconds > 0 ? since(counter) / seconds : 0;
  const flow = (frames: number, bytes: number, bursts: number): Flow => {
    const room = since(bursts) * count(COUNTER.BURST);
    return {
      frames: count(frames),
      bytes: count(bytes),
      frameRate: rate(frames),
      bitRate: (rate(bytes) + rate(frames) * WIRE_OVERHEAD_BYTES) * 8,
      ...room > 0 ? { burstFill: Math.min(1, since(frames) / room) } : {},
    };
  };
  const drops = DROPS.map(({ counter, reason }): Drop => ({
    label: DROP_LABELS.get(counter)!,
    reason,
    frames: count(counter),
    frameRate: rate(counter),
  })).filter(({ frames }) => frames > 0);
  const [guest, number] = port.name.split(".");
  const { channels } = port;
  const cores = channels.map((channel) => countOf(channel, COUNTER.CORE) - 1);
  return {
    guest,
    number: Number(number?.slice(1)),
    name: channels[0].portName,
    cores: cores.filter((core) => core >= 0),
    isDown: count(COUNTER.DOWN) === 1,
    rx: flow(COUNTER.RX, COUNTER.RX_BYTES, COUNTER.RX_BURSTS),
    tx: flow(COUNTER.TX, COUNTER.TX_BYTES, COUNTER.TX_BURSTS),
    drops,
    dropped: {
      frames: drops.reduce((sum, { frames }) => sum + frames, 0),
      frameRate: drops.reduce((sum, { frameRate }) => sum + frameRate, 0),
    },
    rings: Object.fromEntries(
      ["rx", "tx", "lend", "giveback"].map((ring) => {
        const found = channels.flatMap(({ name }) => rings.get(`${name}.${ring}`) ?? []);
        const sum = (what: "used" | "slots") => found.reduce((n, its) => n + its[what], 0);
        return [ring, { used: sum("used"), slots: sum("slots") }];
      }),
    ),
    count,
  };
}

/** The lcores of these channels. All channels of an lcore say the same of it. */
function lcoreFigures(
  channels: readonly ChannelReport[],
  lastOf: ReadonlyMap<string, ChannelReport>,
): LcoreFigures[] {
  const lcores = new Map<number, LcoreFigures>();
  for (const channel of channels) {
    const core = countOf(channel, COUNTER.CORE) - 1;
    if (core < 0) continue;
    const last = lastOf.get(channel.name);
    const [now, idle] = [countOf(channel, COUNTER.LCORE_NS), countOf(channel, COUNTER.IDLE_NS)];
    const passed = last ? now - countOf(last, COUNTER.LCORE_NS) : 0;
    const idled = last ? idle - countOf(last, COUNTER.IDLE_NS) : 0;
    const busy = Math.min(1, Math.max(0, 1 - idled / passed));
    lcores.set(core, {
      core,
      seconds: now / 1e9,
      idleSeconds: idle / 1e9,
      ...passed > 0 ? { busy } : {},
    });
  }
  return [...lcores.values()].sort((a, b) => a.core - b.core);
}

function countOf({ counters }: ChannelReport, counter: number): number {
  return counters[COUNTER_KEYS.get(counter) ?? ""] ?? 0;
}
