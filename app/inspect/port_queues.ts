import { COUNTER, sumOf } from "../port/counters.ts";
import { COUNTER_KEYS } from "./decode_channel.ts";
import type { ChannelReport } from "./region_report.ts";

/** A port of a guest, with the channel of each of its queues. */
export interface PortReport {
  /** The name of its first channel, without a queue: `g0.p1`. */
  readonly name: string;
  /** The channel of each queue, at least one. */
  readonly channels: readonly ChannelReport[];
}

/** Channels by port, in the order in which they were found. */
export function portsOf(channels: readonly ChannelReport[]): PortReport[] {
  const nameOf = ({ name }: ChannelReport) => name.split(".").slice(0, 2).join(".");
  return [...Map.groupBy(channels, nameOf)].map(([name, channels]) => ({ name, channels }));
}

/** The counters of a port, by their places in `COUNTER`: the sums over its queues. */
export function countersOf({ channels }: PortReport): Float64Array {
  const all = channels.map(({ counters }) => {
    const values = [...COUNTER_KEYS].map(([at, key]) => [at, counters[key] ?? 0]);
    return Float64Array.from({ ...Object.fromEntries(values), length: COUNTER.COUNT });
  });
  return sumOf(all);
}
