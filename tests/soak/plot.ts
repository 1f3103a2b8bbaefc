import type { Second, StageReport } from "../stage/report.ts";

/** Pixels of the plot, and of what is left of and right of its panels. */
const WIDTH = 1100, PANEL = 150, GAP = 46, LEFT = 70, RIGHT = 150, TOP = 68;

/** Most points of a line: a run of hours has more seconds. */
const POINTS_MAX = 900;

const COLOURS = ["#1f6fb4", "#d1495b", "#2b8a3e", "#b8860b", "#6f42c1"];

/** A line of a panel. */
interface Line {
  readonly name: string;
  readonly values: readonly number[];
}

/** A run as an SVG: rate, losses, memory and mbufs, with a mark for each fault. */
export function plot(report: StageReport): string {
  const seconds = thin(report.seconds);
  const line = (name: string, of: (second: Second) => number): Line => ({
    name,
    values: seconds.map(of),
  });
  const roles = [...new Set(report.seconds.flatMap(({ memory }) => Object.keys(memory)))];
  const panels: [string, Line[]][] = [
    ["frames/s that arrived", [line("frames/s", ({ frames }) => frames)]],
    ["frames/s found missing", [line("missing/s", ({ missing }) => missing)]],
    ["own memory, MiB", roles.map((role) => line(role, ({ memory }) => memory[role] ?? NaN))],
    [
      "file descriptors",
      roles.map((role) => line(role, ({ descriptors }) => descriptors[role] ?? NaN)),
    ],
    ["free mbufs", [line("mbufs", ({ mbufsFree }) => mbufsFree)]],
  ];
  const end = seconds.at(-1)?.at ?? 1;
  const height = TOP + panels.length * (PANEL + GAP) + 50;
  const x = (at: number) => LEFT + at / end * (WIDTH - LEFT - RIGHT);
  const kinds = [...new Set(report.faults.map(({ name }) => name))].filter((n) => n !== "no fault");
  const marks = report.faults.filter(({ name }) => name !== "no fault").map(({ name, at }) =>
    `<path d="M${x(at).toFixed(1)} ${TOP - 34}v9" stroke="${colourOf(kinds.indexOf(name))}"/>`
  );
  const legend = kinds.map((kind, i) =>
    `<text x="${LEFT + i % 4 * 250}" y="${height - 40 + (i >> 2) * 15}" fill="${
      colourOf(i)
    }" font-size="10">` +
    `${kind} (${report.faults.filter(({ name }) => name === kind).length})</text>`
  );
  const drawn = panels.map(([title, lines], i) => panel(title, lines, seconds, i, x));
  const title = `${report.minutes.toFixed(1)} min of faults, seed ${report.seed}: ` +
    `${report.received} frames, ${report.account.lost} lost, ${report.account.unaccounted} unaccounted`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" ` +
    `font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>` +
    `<text x="${LEFT}" y="22" font-size="15">${title}</text>` +
    `<text x="${LEFT - 8}" y="${TOP - 25}" text-anchor="end">faults</text>` +
    `${marks.join("")}${drawn.join("\n")}${legend.join("")}</svg>\n`;
}

function colourOf(i: number): string {
  return i < COLOURS.length ? COLOURS[i] : `hsl(${i * 67 % 360} 60% 40%)`;
}

function panel(
  title: string,
  lines: readonly Line[],
  seconds: readonly Second[],
  row: number,
  x: (at: number) => number,
): string {
  const top = TOP + row * (PANEL + GAP);
  const most = Math.max(1, ...lines.flatMap(({ values }) => values.filter(Number.isFinite)));
  const y = (value: number) => top + PANEL - value / most * PANEL;
  const end = seconds.at(-1)?.at ?? 1;
  const grid = [0, 0.5, 1].map((share) =>
    `<path d="M${x(0)} ${y(most * share)}H${x(end)}" stroke="#ddd"/>` +
    `<text x="${LEFT - 6}" y="${y(most * share) + 4}" text-anchor="end">${
      round(most * share)
    }</text>`
  );
  const times = [0, 0.25, 0.5, 0.75, 1].map((share) =>
    `<text x="${x(end * share)}" y="${top + PANEL + 14}" text-anchor="middle">` +
    `${round(end * share / 60)} min</text>`
  );
  const paths = lines.map(({ name, values }, i) => {
    let pen = "M";
    const points = values.map((value, at) => {
      if (!Number.isFinite(value)) return pen = "M", "";
      const point = `${pen}${x(seconds[at].at).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
      return point;
    });
    return `<path d="${points.join("")}" fill="none" stroke="${colourOf(i)}"/>` +
      `<text x="${WIDTH - RIGHT + 8}" y="${top + 12 + 14 * i}" fill="${
        colourOf(i)
      }">${name}</text>`;
  });
  return `<text x="${LEFT}" y="${top - 6}" font-weight="bold">${title}</text>` +
    grid.join("") + times.join("") + paths.join("");
}

function round(value: number): string {
  return value >= 10_000 ? `${Math.round(value / 1000)}k` : `${Math.round(value * 10) / 10}`;
}

/** Fewer seconds, the worst of each few: what stands out stays. */
function thin(seconds: readonly Second[]): Second[] {
  const step = Math.max(1, Math.ceil(seconds.length / POINTS_MAX));
  return Array.from({ length: Math.ceil(seconds.length / step) }, (_, i) => {
    const few = seconds.slice(i * step, (i + 1) * step);
    const mean = (of: (second: Second) => number) =>
      few.reduce((sum, second) => sum + of(second), 0) / few.length;
    return {
      ...few[0],
      frames: mean(({ frames }) => frames),
      missing: Math.max(...few.map(({ missing }) => missing)),
      mbufsFree: Math.min(...few.map(({ mbufsFree }) => mbufsFree)),
    };
  });
}

/** Rate, losses and memory over time in three lines of blocks, for a terminal. */
export function chartText({ seconds, faults }: StageReport, width = 72): string {
  if (seconds.length === 0) return "";
  const end = seconds[seconds.length - 1].at;
  const columns = Array.from({ length: Math.min(width, seconds.length) }, (_, i, all = width) => {
    const count = Math.min(all, seconds.length);
    return seconds.filter(({ at }) => Math.min(count - 1, Math.floor(at / end * count)) === i);
  });
  const row = (name: string, of: (second: Second) => number) => {
    const values = columns.map((few) => Math.max(0, ...few.map(of)));
    const most = Math.max(1, ...values);
    const blocks = values.map((value) => " ▁▂▃▄▅▆▇█"[Math.round(value / most * 8)]);
    return `${name.padEnd(12)}${blocks.join("")} ${round(most)}`;
  };
  const struck = columns.map((few) => {
    const [from, to] = [few[0]?.at ?? 0, few.at(-1)?.at ?? 0];
    const here = faults.filter(({ name, at }) => name !== "no fault" && at > from - 1 && at <= to);
    return here.length === 0 ? " " : here.length > 9 ? "+" : `${here.length}`;
  });
  return [
    row("frames/s", ({ frames }) => frames),
    row("missing/s", ({ missing }) => missing),
    row("host MiB", ({ memory }) => memory.host ?? 0),
    row("mbufs free", ({ mbufsFree }) => mbufsFree),
    `${"faults".padEnd(12)}${struck.join("")}`,
  ].join("\n");
}
