import type { RegionFigures } from "../inspect/figures.ts";

/** Looks that are remembered: ten minutes of them, one a second. */
const LENGTH = 600;

/** What plots show of one thing, by the names of its figures; null: not known. */
type Values = Readonly<Record<string, number | null>>;

/** One thing that plots show. */
export interface Series {
  /** `port`, `core` or `region`. */
  readonly kind: string;
  /** Its name on the page. */
  readonly label: string;
  /** Figures by name; each list is as long as the list of times. */
  readonly values: Record<string, (number | null)[]>;
}

/** The last ten minutes, for the page's plots. */
export class PlotHistory {
  /** Seconds since 1970. */
  readonly #times: number[] = [];
  readonly #series = new Map<string, Series>();

  /**
   * Remember a look.
   *
   * @param time Seconds since 1970.
   */
  add(regions: readonly RegionFigures[], time: number): void {
    const found = new Map(
      regions.flatMap(valuesOf).map((one) => [`${one.kind} ${one.label}`, one]),
    );
    for (const [key, { kind, label, values }] of found) {
      if (this.#series.has(key)) continue;
      const blank = () => Array<null>(this.#times.length).fill(null);
      const columns = Object.fromEntries(Object.keys(values).map((name) => [name, blank()]));
      this.#series.set(key, { kind, label, values: columns });
    }
    this.#times.push(time);
    const isFull = this.#times.length > LENGTH;
    if (isFull) this.#times.shift();
    for (const [key, { values }] of this.#series) {
      for (const [name, column] of Object.entries(values)) {
        column.push(found.get(key)?.values[name] ?? null);
        if (isFull) column.shift();
      }
      const isGone = Object.values(values).every((column) => column.every((one) => one === null));
      if (isGone) this.#series.delete(key);
    }
  }

  /** What is newer than `since`, in seconds since 1970; everything if that is older than all. */
  after(since: number): { times: readonly number[]; series: readonly Series[] } {
    const from = this.#times.findIndex((time) => time > since);
    const cut = <T>(all: readonly T[]) => from < 0 ? [] : all.slice(from);
    return {
      times: cut(this.#times),
      series: [...this.#series.values()].map(({ kind, label, values }) => ({
        kind,
        label,
        values: Object.fromEntries(Object.entries(values).map(([name, all]) => [name, cut(all)])),
      })),
    };
  }
}

function valuesOf(
  { name, ports, lcores, mbufs }: RegionFigures,
): { kind: string; label: string; values: Values }[] {
  return [
    ...ports.map((port) => ({
      kind: "port",
      label: `${name} ${port.guest}.p${port.number} ${port.name}`,
      values: {
        rx: port.rx.frameRate,
        tx: port.tx.frameRate,
        rxBits: port.rx.bitRate,
        txBits: port.tx.bitRate,
        drops: port.dropped.frameRate,
      },
    })),
    ...lcores.map(({ core, busy }) => ({
      kind: "core",
      label: `${name} core ${core}`,
      values: { busy: busy === undefined ? null : busy * 100 },
    })),
    {
      kind: "region",
      label: name,
      values: { mbufs: mbufs.total > 0 ? mbufs.total - Math.min(mbufs.free, mbufs.total) : null },
    },
  ];
}
