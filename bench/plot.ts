import { machineLines } from "./machine.ts";
import type { Measurement, Spread } from "./measurement.ts";
import { figure, type Results } from "./results.ts";

/** Pixels: the whole, where bars begin, how long the longest is, and the lines of a row. */
const WIDTH = 920, LEFT = 250, BAR = 400, LINE = 19, TITLE = 25, GAP = 12, TOP = 66, BOTTOM = 28;

/**
 * Colours for light and for dark pages. The card behind is drawn too, so that the text can be read
 * wherever the picture is put.
 */
const STYLE = `
svg { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
.card { fill: #fff; stroke: #d0d7de } .ink { fill: #1f2328 } .faint { fill: #59636e }
.ours { fill: #0969da } .peer { fill: #afb8c1 } .range { stroke: #1f2328; stroke-opacity: .55 }
.limit { stroke: #bc4c00; stroke-width: 2 }
.ahead { fill: #1a7f37 } .behind { fill: #bc4c00 }
.title { font-size: 16px; font-weight: 600 } .row, .ahead, .behind { font-weight: 600 }
.small { font-size: 11px }
@media (prefers-color-scheme: dark) {
  .card { fill: #0d1117; stroke: #3d444d } .ink { fill: #f0f6fc } .faint { fill: #9198a1 }
  .ours { fill: #388bfd } .peer { fill: #565e67 } .range { stroke: #f0f6fc }
  .ahead { fill: #3fb950 } .behind { fill: #f0883e }
}`;

/** The rows that the plot shows, where we are ahead and where we are behind, and their titles. */
export const SHOWN: ReadonlyMap<string, string> = new Map([
  ["memory round trip, hugepages, 64 B", "Frames of 64 B to a guest process and back, in memory"],
  [
    "veth -> host -> guest -> veth, 64 B",
    "Frames of 64 B from veth to veth through a guest process",
  ],
  ["tap -> host -> guest -> tap, 64 B", "Frames of 64 B from TAP to TAP through a guest process"],
  ["tap -> host -> VM -> tap, 64 B", "Frames of 64 B from TAP to TAP through an emulated VM"],
  [
    "IPv4 from a to b, veth -> host -> guest -> veth",
    "TCP from veth to veth through a guest process",
  ],
  ["ping, host and guest asleep, p50", "Ping through host and guest, both asleep, median"],
  [
    "ring SP/SC bulk, 8 B, two cores, burst 32",
    "Ring between two cores, an element of 8 B, 32 at once",
  ],
  ["mempool descriptors, burst 32", "Mempool, an mbuf taken and given back, 32 at once"],
]);

/**
 * Results as a picture in SVG: for each row a bar of ours and one of each peer, where longer is
 * better whatever the unit; with the figures, their range, and the ratio. It shows the rows of
 * {@linkcode SHOWN}, or all if none of them is there.
 */
export function plotSvg({ machine, measurements }: Results): string {
  const shown = measurements.filter(({ name }) => SHOWN.has(name));
  const rows = shown.length > 0 ? shown : measurements;
  let y = TOP;
  const drawn = rows.map((row) => {
    const top = y;
    y += TITLE + LINE * (1 + row.peers.length) + GAP;
    return drawRow(row, top);
  });
  const notes = machineLines(machine);
  const height = y + BOTTOM + LINE * (notes.length - 1);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img">
<title>Culvert beside its peers</title>
<style>${STYLE}
</style>
<rect class="card" x=".5" y=".5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>
${text(20, 30, "ink title", "Culvert beside its peers")}
${text(20, 49, "faint small", NOTE) + KEY}
${drawn.join("\n")}
${notes.map((note, i) => text(20, y + 16 + 16 * i, "faint small", note)).join("\n")}
</svg>
`;
}

const NOTE = "Longer is better. Medians; the thin line is the range, an upright one V8's limit.";

const KEY = text(WIDTH - 20, 49, "faint small", "× is our speed relative to the peer's", "end");

function drawRow(row: Measurement, top: number): string {
  const speed = (value: number) => row.better === "more" ? value : 1 / value;
  const sides = [row, ...row.peers];
  const longest = BAR / Math.max(...sides.map(({ value }) => speed(value)));
  const bars = sides.map((side, i) => {
    const y = top + TITLE + LINE * i;
    const end = LEFT + speed(side.value) * longest;
    const name = i === 0 ? "culvert" : row.peers[i - 1].name;
    const value = `${figure(side.value)} ${row.unit}`;
    const right = Math.max(end, rangeEnd(side, speed, longest));
    return text(LEFT - 8, y + 10, i === 0 ? "ink" : "faint", name, "end") +
      `<rect class="${i === 0 ? "ours" : "peer"}" x="${LEFT}" y="${y}" ` +
      `width="${(end - LEFT).toFixed(1)}" height="13" rx="2"/>` +
      drawRange(side, y + 6.5, speed, longest) +
      (i === 0 ? drawLimit(row, y, speed, longest) : "") +
      text(right + 7, y + 10.5, "ink small", value) + (i === 0 ? "" : ratioText(row, i - 1, y));
  });
  const lines = row.lines && (row.lines === "near" ? "quickly" : "slowly");
  return text(20, top + 12, "ink row", SHOWN.get(row.name) ?? row.name) +
    text(WIDTH - 20, top + 12, "faint small", lines ? `cache lines travel ${lines}` : "", "end") +
    bars.join("");
}

function ratioText({ peers }: Measurement, peer: number, y: number): string {
  const { value } = peers[peer].ratio;
  const ratio = value.toPrecision(value < 10 ? 2 : 3);
  return text(WIDTH - 20, y + 10.5, value >= 1 ? "ahead" : "behind", `${ratio}×`, "end");
}

function rangeEnd({ min, max }: Spread, speed: (value: number) => number, scale: number): number {
  if (min === undefined || max === undefined) return 0;
  return Math.min(LEFT + Math.max(speed(min), speed(max)) * scale, LEFT + RANGE_MOST);
}

/** A range that is longer than this is cut: one sample may be far off. */
const RANGE_MOST = BAR + 60;

/** Where V8 alone would be, beside our bar. */
function drawLimit(
  { limit }: Measurement,
  y: number,
  speed: (value: number) => number,
  scale: number,
): string {
  if (limit === undefined) return "";
  const x = LEFT + Math.min(speed(limit) * scale, RANGE_MOST);
  return `<path class="limit" d="M${x.toFixed(1)} ${y - 2}v17"/>`;
}

function drawRange(
  { min, max }: Spread,
  y: number,
  speed: (value: number) => number,
  scale: number,
): string {
  if (min === undefined || max === undefined || min === max) return "";
  const [from, to] = [speed(min), speed(max)].toSorted((a, b) => a - b)
    .map((value) => LEFT + Math.min(value * scale, RANGE_MOST));
  return `<path class="range" d="M${from.toFixed(1)} ${y}H${to.toFixed(1)}"/>`;
}

function text(x: number, y: number, className: string, words: string, anchor = "start"): string {
  const escaped = words.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);
  const place = `x="${x.toFixed(1)}" y="${y}"`;
  const side = anchor === "start" ? "" : ` text-anchor="${anchor}"`;
  return `<text class="${className}" ${place}${side}>${escaped}</text>`;
}
