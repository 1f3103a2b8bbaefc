import { COUNTER, droppedBy, DROPS } from "../port/counters.ts";

/** A port with what was counted of it. */
export interface CountedPort {
  /** See `Names.port`: the interface, or for a port without one what the command line says. */
  readonly name: string;
  /** Written by the port's lcore at any time; only read here. */
  readonly counters: Float64Array;
}

/** A region's mbufs. */
export interface CountedMbufs {
  /** The region's name or path. */
  readonly name: string;
  /** Mbufs that are free. */
  readonly available: number;
  /** All mbufs. */
  readonly total: number;
  /** The same for long mbufs; left out if there are none. */
  readonly long?: { readonly available: number; readonly total: number };
}

/** All frames by where they went: what came in is what went out, to the frame. */
export interface Account {
  /** Frames taken from ports; not those that the kernel dropped before we could. */
  readonly received: number;
  /** Frames that guests made in mbufs lent empty. */
  readonly originated: number;
  /** Frames that ports sent. */
  readonly forwarded: number;
  /** Frames that were dropped, by reason; only reasons that occurred. */
  readonly dropped: ReadonlyMap<string, number>;
}

/** Add up all ports. */
export function accountOf(ports: readonly CountedPort[]): Account {
  const sum = (counter: number) => ports.reduce((total, p) => total + p.counters[counter], 0);
  const dropped = new Map(
    DROPS.map(({ counter, reason }) => [reason, sum(counter)] as const).filter(([, n]) => n > 0),
  );
  return {
    received: sum(COUNTER.RX),
    originated: sum(COUNTER.ORIGINATED),
    forwarded: sum(COUNTER.TX),
    dropped,
  };
}

/**
 * The summary at the end: `received = forwarded + dropped`, the reasons, the mbufs of each region.
 *
 * @param offences A line for each guest that has made violations.
 */
export function summaryText(
  ports: readonly CountedPort[],
  regions: readonly CountedMbufs[],
  offences: readonly string[] = [],
): string {
  const { received, originated, forwarded, dropped } = accountOf(ports);
  const drops = [...dropped.values()].reduce((total, n) => total + n, 0);
  const made = originated > 0 ? ` + originated by the guest ${originated}` : "";
  const lines = [`received ${received}${made} = forwarded ${forwarded} + dropped ${drops}`];
  for (const [reason, frames] of dropped) lines.push(`  dropped ${frames}: ${reason}`);
  const also = (counter: number, what: string) => {
    const n = ports.reduce((total, p) => total + p.counters[counter], 0);
    if (n > 0) lines.push(`  also ${n} ${what}`);
  };
  also(COUNTER.MISSED, "frames dropped by the kernel before we could take them");
  also(COUNTER.MIRRORED, "copies sent to mirrors");
  also(COUNTER.MIRROR_LOST, "copies lost, as a mirror had no room or was down");
  also(COUNTER.FOREIGN, "handles that the guest gave back and did not hold");
  also(COUNTER.NOTIFIED, "doorbells rung to wake a guest");
  also(COUNTER.POSITION, "impossible ring positions from the guest");
  also(COUNTER.FALSE_ALARM, "doorbells that woke us for nothing");
  for (const offence of offences) lines.push(`  violations by ${offence}`);
  const available = regions.reduce((sum, region) => sum + region.available, 0);
  const all = regions.reduce((sum, region) => sum + region.total, 0);
  lines.push(`mbufs: ${available} of ${all} free`);
  const long = regions.flatMap(({ long }) => long ?? []);
  const longFree = long.reduce((sum, { available }) => sum + available, 0);
  const longAll = long.reduce((sum, { total }) => sum + total, 0);
  if (longAll > 0) lines.push(`long mbufs: ${longFree} of ${longAll} free`);
  if (regions.length > 1) {
    for (const { name, available, total } of regions) {
      lines.push(`  region ${name}: ${available} of ${total}`);
    }
  }
  return lines.join("\n");
}

/** Prints each port's frames and rates since the last time, as a table. */
export class LiveTable {
  #then = performance.now();
  #last: Float64Array[];

  /** Rates of the first table count from now; frames and drops are always totals. */
  constructor(private readonly ports: readonly CountedPort[]) {
    this.#last = ports.map(({ counters }) => counters.slice());
  }

  /** The table as it stands now. */
  text(): string {
    const now = performance.now();
    const seconds = (now - this.#then) / 1000;
    const head = ["port", "received", "rx Mpps", "forwarded", "tx Mpps", "dropped"];
    const rows = this.ports.map(({ name, counters }, i) => {
      const rate = (counter: number) =>
        ((counters[counter] - this.#last[i][counter]) / seconds / 1e6).toFixed(3);
      return [
        counters[COUNTER.DOWN] ? `${name} (down)` : name,
        String(counters[COUNTER.RX]),
        rate(COUNTER.RX),
        String(counters[COUNTER.TX]),
        rate(COUNTER.TX),
        String(droppedBy(counters)),
      ];
    });
    this.#then = now;
    this.#last = this.ports.map(({ counters }) => counters.slice());
    const width = Math.max(20, ...rows.map(([name]) => name.length + 1));
    const line = (cells: string[]) =>
      cells.map((cell, i) => i === 0 ? cell.padEnd(width) : cell.padStart(13)).join("");
    return [line(head), ...rows.map(line)].join("\n");
  }
}
