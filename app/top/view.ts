/**
 * What `culvert top` shows, as lines of text: a pure function of figures and of what the user has
 * asked for.
 *
 * @module
 */
import type { Fill, Flow, PortFigures, RegionFigures } from "../inspect/figures.ts";
import type { RegionLook } from "../inspect/region_watch.ts";
import { bar, shares } from "../inspect/table.ts";
import { printable } from "../linux/printable.ts";
import { percent, short, sparkline } from "./format.ts";
import type { History } from "./history.ts";

/** By what ports can be sorted, in the order in which the key goes through them. */
export const SORTS = ["order", "rx", "tx", "drops", "name"] as const;

/** One of {@linkcode SORTS}. */
export type Sort = typeof SORTS[number];

/** What the user has asked for. */
export interface Wishes {
  /** What ports are sorted by. */
  readonly sort: Sort;
  /** Whether to show drops by reason, and all rings. */
  readonly hasDetails: boolean;
}

/** One line, without colours. */
export interface Line {
  /** The text, not yet cut to the width of the screen. */
  readonly text: string;
  /** How it stands out: a heading; something is wrong; less important. */
  readonly style?: "head" | "bad" | "dim";
}

/** What one look has found. */
export interface Found {
  /** Regions that can be read. */
  readonly regions: readonly RegionFigures[];
  /** All looks, also at regions that cannot be read. */
  readonly looks: readonly RegionLook[];
}

/** The width at which all permanent columns fit. */
const WIDTH_MIN = 80;

/** The width of the column for bursts, and the width of the screen from which on it is there. */
const BURST_WIDTH = 10, WIDTH_WITH_BURSTS = 96;

/** All lines, however many: those of regions, lcores and guests, then the table of ports. */
export function viewLines(found: Found, wishes: Wishes, history: History, width: number): Line[] {
  const { regions, looks } = found;
  const lines = [
    ...problemLines(looks),
    ...regions.flatMap((region) => regionLines(region, wishes)),
  ];
  const rows = regions.flatMap((region) => region.ports.map((port) => ({ region, port })));
  if (rows.length === 0) return lines;
  const names = rows.map(({ region, port }) => portName(region, port, regions.length > 1));
  const columns = columnsFor(width, Math.max(...names.map(({ length }) => length)));
  lines.push({ text: "" }, { text: headText(columns), style: "head" });
  for (const { region, port } of sorted(rows, wishes.sort)) {
    lines.push({
      text: portText(portName(region, port, regions.length > 1), port, columns) +
        sparkline(history.of(region.name, port), columns.spark),
      ...port.isDown || port.dropped.frameRate > 0 ? { style: "bad" } : {},
    });
    if (wishes.hasDetails) lines.push(...detailLines(port));
  }
  return lines;
}

/** What keeps regions from being shown. */
function problemLines(looks: readonly RegionLook[]): Line[] {
  if (looks.length === 0) return [{ text: "no region here: culvert host makes one" }];
  return looks.filter(({ report }) => report === undefined).map(({ name, problem }) => ({
    text: problem ?? `region ${name}: not there`,
    style: "bad",
  }));
}

function regionLines(
  { name, report, mbufs, lcores, ports }: RegionFigures,
  { hasDetails }: Wishes,
): Line[] {
  const { host, guests, problems } = report;
  const used = mbufs.total - Math.min(mbufs.free, mbufs.total);
  const isDead = host?.state === "READY" && host.isAlive === false;
  const life = host ? `${host.state}${isDead ? ", silent" : ""}, epoch ${host.epoch}` : "no host";
  const lines: Line[] = [{
    text: `region ${name}: ${life}` +
      (mbufs.total > 0 ? `   mbufs ${bar(used, mbufs.total, 10)} ${used} of ${mbufs.total}` : ""),
    style: isDead || !host ? "bad" : "head",
  }];
  for (const problem of problems) lines.push({ text: `  ! ${problem}`, style: "bad" });
  if (lcores.length > 0) {
    const texts = lcores.map(({ core, busy }) =>
      `core ${core} ${bar(busy ?? 0, 1, 10)} ${percent(busy).padStart(3)} % busy`
    );
    for (let i = 0; i < texts.length; i += 2) {
      lines.push({ text: `  ${texts.slice(i, i + 2).join("   ")}` });
    }
  }
  for (const guest of guests) {
    const isSilent = guest.state === "RUNNING" && guest.isAlive === false;
    const was = guest.incarnation > 1 ? `, life ${guest.incarnation}` : "";
    const pid = guest.state === "ABSENT" || guest.pid === 0 ? "" : `, pid ${guest.pid}`;
    const busy = guest.busy.length > 0 ? `, busy ${shares(guest.busy)}` : "";
    const held = guest.outstanding > 0 ? `, holds ${guest.outstanding} mbufs` : "";
    const its = ports.filter((port) => port.guest === guest.name);
    const flow = guest.state === "RUNNING"
      ? `, gets ${rateText(its.map(({ rx }) => rx))}, sends ${rateText(its.map(({ tx }) => tx))}`
      : "";
    const state = `${guest.state}${isSilent ? ", silent" : ""}`;
    lines.push({
      text: `  guest ${guest.name}: ${state}${was}${busy}${flow}${pid}${held}`,
      ...isSilent || guest.state === "QUARANTINED" ? { style: "bad" } : {},
    });
    if (!hasDetails) continue;
    for (const [counter, value] of Object.entries(guest.counted)) {
      lines.push({ text: `    counted by its function: ${counter} ${value}`, style: "dim" });
    }
  }
  return lines;
}

/** What several ports move, in sum. */
function rateText(flows: readonly Flow[]): string {
  const sum = (figure: (flow: Flow) => number) =>
    flows.reduce((all, flow) => all + figure(flow), 0);
  return `${short(sum(({ frameRate }) => frameRate))}/s ${short(sum(({ bitRate }) => bitRate))}b/s`;
}

/** Widths of the table's columns, in characters; 0: the column is left out. */
interface Columns {
  readonly name: number;
  readonly bursts: number;
  readonly spark: number;
}

/** Characters that all columns take but name, bursts and sparkline. */
const FIXED = 7 + 7 + 7 + 7 + 7 + 8 + 8;

function columnsFor(width: number, longestName: number): Columns {
  const bursts = width >= WIDTH_WITH_BURSTS ? BURST_WIDTH : 0;
  const room = Math.max(width, WIDTH_MIN) - FIXED - bursts;
  const name = Math.min(longestName, Math.max(14, Math.floor(room / 2)));
  return { name, bursts, spark: room - name - 1 };
}

function headText({ name, bursts, spark }: Columns): string {
  const cells = ["PORT".padEnd(name), "RX/s".padStart(7), "RXb/s".padStart(7)];
  cells.push("TX/s".padStart(7), "TXb/s".padStart(7), "DROP/s".padStart(7), "DROPS".padStart(8));
  cells.push("RINGS%".padStart(8), bursts > 0 ? "BURSTS%".padStart(bursts) : "");
  return `${cells.join("")} ${"FRAMES".padStart(spark)}`;
}

function portText(name: string, port: PortFigures, columns: Columns): string {
  const { rx, tx, dropped, rings } = port;
  const pair = (a: string, b: string) => `${a}/${b}`;
  const fill = ({ used, slots }: Fill) => percent(slots > 0 ? used / slots : undefined);
  const cells = [
    ...[rx, tx].flatMap(({ frameRate, bitRate }) => [short(frameRate), short(bitRate)]),
    short(dropped.frameRate),
  ].map((cell) => cell.padStart(7));
  cells.push(short(dropped.frames).padStart(8), pair(fill(rings.rx), fill(rings.tx)).padStart(8));
  if (columns.bursts > 0) {
    cells.push(pair(percent(rx.burstFill), percent(tx.burstFill)).padStart(columns.bursts));
  }
  return `${name.slice(0, columns.name).padEnd(columns.name)}${cells.join("")} `;
}

function detailLines(port: PortFigures): Line[] {
  const { drops, rings, rx, tx, cores } = port;
  const ringText = Object.entries(rings).filter(([, { slots }]) => slots > 0)
    .map(([name, { used, slots }]) => `${name} ${used}/${slots}`).join("  ");
  const where = cores.length === 0 ? "" : `core ${cores.join(", ")}  `;
  const lines: Line[] = [
    { text: `    ${where}rings  ${ringText}`, style: "dim" },
    {
      text: `    received ${rx.frames}, bursts ${percent(rx.burstFill)} % full; ` +
        `sent ${tx.frames}, bursts ${percent(tx.burstFill)} % full`,
      style: "dim",
    },
  ];
  if (port.isDown) lines.push({ text: "    its interface is down", style: "bad" });
  for (const { reason, frames, frameRate } of drops) {
    lines.push({
      text: `    dropped ${short(frameRate).padStart(6)}/s, ${frames} in all: ${reason}`,
      style: frameRate > 0 ? "bad" : "dim",
    });
  }
  return lines;
}

function portName({ name }: RegionFigures, port: PortFigures, isOneOfMany: boolean): string {
  return `${isOneOfMany ? `${name} ` : ""}${port.guest} ${port.name}`;
}

function sorted<T extends { port: PortFigures }>(rows: readonly T[], sort: Sort): T[] {
  const by = (figure: (port: PortFigures) => number) =>
    rows.toSorted((a, b) => figure(b.port) - figure(a.port));
  switch (sort) {
    case "order":
      return [...rows];
    case "rx":
      return by(({ rx }) => rx.frameRate);
    case "tx":
      return by(({ tx }) => tx.frameRate);
    case "drops":
      return by(({ dropped }) => dropped.frameRate || dropped.frames / 2 ** 60);
    case "name":
      return rows.toSorted((a, b) => a.port.name < b.port.name ? -1 : 1);
  }
}

/** What keeps regions from being shown, a line each. */
export function problemTexts({ looks }: Found): string[] {
  return problemLines(looks).map(({ text }) => text);
}

/**
 * The figures for programs and logs: a line for each region, guest and port, all words written out.
 *
 * @param told The {@linkcode problemTexts} of the last look, which are not repeated.
 */
export function plainLines(found: Found, time: string, told: readonly string[] = []): string[] {
  const problems = problemTexts(found).filter((text) => !told.includes(text));
  const lines = problems.map((text) => `${time} ${text}`);
  for (const { name, ports, report: { host, guests }, mbufs, lcores } of found.regions) {
    const busy = lcores.map(({ core, busy }) => ` core ${core} busy ${percent(busy)} %`).join("");
    const alive = host?.isAlive === false ? " silent" : "";
    lines.push(
      `${time} ${name} host ${host?.state ?? "none"}${alive} mbufs ${mbufs.free} of ` +
        `${mbufs.total} free${busy}`,
    );
    for (const guest of guests) {
      lines.push(
        `${time} ${name} ${guest.name} ${guest.state} incarnation ${guest.incarnation} holds ` +
          `${guest.outstanding} mbufs` +
          (guest.busy.length > 0 ? `, busy ${shares(guest.busy)}` : "") +
          Object.entries(guest.counted).map(([counter, n]) => `, counted ${counter} ${n}`).join(""),
      );
    }
    for (const { guest, name: port, rx, tx, dropped, drops } of ports) {
      const flow = ({ frameRate, bitRate }: typeof rx) =>
        `${(frameRate / 1e6).toFixed(6)} Mpps ${(bitRate / 1e9).toFixed(6)} Gb/s`;
      const reasons = drops.map(({ label, frames, frameRate }) =>
        ` ${label} ${frames} (${frameRate.toFixed(0)}/s)`
      ).join("");
      lines.push(
        `${time} ${name} ${guest} ${port} rx ${flow(rx)} tx ${flow(tx)} dropped ` +
          `${dropped.frames} (${dropped.frameRate.toFixed(0)}/s)${reasons}`,
      );
    }
  }
  return lines.map(printable);
}
