/// <reference lib="dom" />
import uPlot from "uplot";

/** Values of one port, core or region; each list is as long as the list of times. */
export interface Series {
  /** `port`, `core` or `region`. */
  readonly kind: string;
  /** What its lines are called. */
  readonly label: string;
  /** Values by what is measured; null where nothing was measured. */
  readonly values: Record<string, (number | null)[]>;
}

/** A plot: a title, how its values are written, and the lines in it. */
interface Sort {
  readonly title: string;
  readonly unit: string;
  readonly kind: string;
  /** The highest value, if it is known. */
  readonly most?: number;
  /** For each line the end of its name, and the value that it shows. */
  readonly lines: readonly (readonly [suffix: string, value: string])[];
}

const SORTS: readonly Sort[] = [
  { title: "Frames a second", unit: "", kind: "port", lines: [[" rx", "rx"], [" tx", "tx"]] },
  {
    title: "Bits a second, on the wire",
    unit: "b",
    kind: "port",
    lines: [[" rx", "rxBits"], [" tx", "txBits"]],
  },
  { title: "Drops a second", unit: "", kind: "port", lines: [["", "drops"]] },
  { title: "Busy share of cores, %", unit: "%", kind: "core", most: 100, lines: [["", "busy"]] },
  { title: "Mbufs in use", unit: "", kind: "region", lines: [["", "mbufs"]] },
];

/** Colours that can be told apart on white and on black, by Okabe and Ito. */
const COLOURS = [
  "#0072b2",
  "#e69f00",
  "#009e73",
  "#cc79a7",
  "#d55e00",
  "#56b4e9",
  "#8f7ee7",
  "#7f8c3a",
];

const HEIGHT = 220;

/** Three digits and a unit. */
export function short(value: number | null, unit = ""): string {
  if (value === null) return "-";
  if (unit === "%") return `${value.toFixed(0)} %`;
  const step = value < 999.5 ? 0 : Math.min(4, Math.floor(Math.log10(value * 1.0005) / 3));
  const digits = value / 1000 ** step;
  const text = step > 0
    ? digits.toPrecision(3)
    : value < 10
    ? `${+value.toFixed(1)}`
    : `${Math.round(value)}`;
  return text + " kMGT"[step].trim() + unit;
}

/** The plots of a page. They are made anew when other lines are to be shown. */
export class Plots {
  #plots: { sort: Sort; plot: uPlot; labels: string }[] = [];

  /** Plots are put into `place`, and have its width. */
  constructor(private readonly place: HTMLElement) {
    addEventListener("resize", () => {
      for (const { plot } of this.#plots) {
        plot.setSize({ width: widthIn(plot.root.parentElement!), height: HEIGHT });
      }
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#clear());
  }

  /** Show these series, whose values are of these times, in seconds since 1970. */
  show(times: readonly number[], series: readonly Series[]): void {
    const groups = SORTS.map((sort) => ({
      sort,
      lines: series.filter(({ kind }) => kind === sort.kind).flatMap(({ label, values }) =>
        sort.lines.map(([suffix, value]) => ({ label: label + suffix, values: values[value] }))
      ),
    }));
    const labelsOf = (lines: readonly { label: string }[]) =>
      lines.map(({ label }) => label).join("\n");
    const isSame = this.#plots.length === groups.length &&
      groups.every(({ lines }, i) => this.#plots[i].labels === labelsOf(lines));
    if (!isSame) {
      this.#clear();
      this.#plots = groups.map(({ sort, lines }) => ({
        sort,
        labels: labelsOf(lines),
        plot: this.#make(sort, lines.map(({ label }) => label)),
      }));
    }
    groups.forEach(({ lines }, i) => {
      this.#plots[i].plot.setData([[...times], ...lines.map(({ values }) => values)]);
    });
  }

  #clear(): void {
    for (const { plot } of this.#plots) plot.destroy();
    this.#plots = [];
    this.place.replaceChildren();
  }

  #make(sort: Sort, labels: readonly string[]): uPlot {
    const card = document.createElement("article");
    const title = document.createElement("h2");
    title.textContent = sort.title;
    card.append(title);
    this.place.append(card);
    const colour = (name: string) => getComputedStyle(document.body).getPropertyValue(name).trim();
    const axis = {
      stroke: colour("--soft"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { stroke: colour("--line"), width: 1 },
    };
    return new uPlot(
      {
        width: widthIn(card),
        height: HEIGHT,
        scales: {
          y: { range: (_, __, most) => [0, sort.most ?? Math.max(1, most * 1.05)] },
        },
        axes: [{ ...axis, space: 80, values: (_, ticks) => ticks.map(clock) }, {
          ...axis,
          size: 64,
          values: (_, ticks) => ticks.map((tick) => short(tick, sort.unit)),
        }],
        series: [
          { label: "at", value: (_, time) => time ? clock(time) : "" },
          ...labels.map((label, i) => ({
            label,
            stroke: COLOURS[i % COLOURS.length],
            width: 1.5,
            points: { show: false },
            value: (_: uPlot, value: number | null) => short(value, sort.unit),
          })),
        ],
      },
      [[], ...labels.map(() => [])],
      card,
    );
  }
}

/** The time of day. */
function clock(time: number): string {
  return new Date(time * 1000).toTimeString().slice(0, 8);
}

function widthIn(card: HTMLElement): number {
  const { paddingLeft, paddingRight } = getComputedStyle(card);
  return Math.max(200, card.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight));
}
