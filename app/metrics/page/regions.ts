/// <reference lib="dom" />
import { short } from "./plots.ts";

/** Frames one way. */
export interface Flow {
  /** Frames a second. */
  readonly frameRate: number;
  /** Bits a second. */
  readonly bitRate: number;
}

/** What the server tells of a region. */
export interface RegionState {
  /** Its name or path. */
  readonly name: string;
  /** What its host says of itself. */
  readonly host: string;
  /** Whether its host lives. */
  readonly isAlive: boolean;
  /** Mbufs of its mempool. */
  readonly mbufs: { readonly free: number; readonly total: number };
  /** Its places for guests. */
  readonly guests: readonly {
    readonly name: string;
    readonly state: string;
    readonly isAlive: boolean | null;
    readonly incarnation: number;
    readonly outstanding: number;
  }[];
  /** Its ports, by guest and number. */
  readonly ports: readonly {
    readonly guest: string;
    readonly number: number;
    readonly name: string;
    readonly isDown: boolean;
    readonly rx: Flow;
    readonly tx: Flow;
    readonly drops: readonly { reason: string; frames: number; frameRate: number }[];
  }[];
}

/**
 * An element that holds text or other elements. Text is never HTML: users choose names of ports.
 */
function element(tag: string, content: string | readonly Node[], className = ""): HTMLElement {
  const made = document.createElement(tag);
  if (typeof content === "string") made.textContent = content;
  else made.append(...content);
  if (className !== "") made.className = className;
  return made;
}

const row = (cells: readonly HTMLElement[], className = "") => element("tr", cells, className);

const HEADS = ["port", "rx/s", "rx b/s", "tx/s", "tx b/s", "drops/s", "drops"];

/** A card for each region: its host and guests, a table of its ports and drops by reason. */
export function showRegions(place: HTMLElement, regions: readonly RegionState[]): void {
  place.replaceChildren(...regions.map((region) => element("article", cardOf(region))));
}

function cardOf({ name, host, isAlive, mbufs, guests, ports }: RegionState): HTMLElement[] {
  const isUp = host === "READY" && isAlive;
  const life = host === "READY" && !isAlive ? "READY, but silent" : host;
  const used = mbufs.total - Math.min(mbufs.free, mbufs.total);
  return [
    element("h2", `Region ${name}`),
    element("div", [
      element("span", `host ${life}`, isUp ? "good" : "bad"),
      element("span", ` · ${used} of ${mbufs.total} mbufs in use`, "soft"),
    ]),
    ...guests.map(({ name, state, isAlive, incarnation, outstanding }) => {
      const isSilent = state === "RUNNING" && isAlive === false;
      const isGood = state === "RUNNING" && !isSilent;
      return element("div", [
        element(
          "span",
          `guest ${name} ${state}${isSilent ? ", but silent" : ""}`,
          isGood ? "good" : state === "ABSENT" ? "soft" : "bad",
        ),
        element("span", ` · life ${incarnation} · holds ${outstanding} mbufs`, "soft"),
      ]);
    }),
    element("table", [
      element("thead", [row(HEADS.map((head) => element("th", head)))]),
      element("tbody", ports.flatMap(rowsOf)),
    ]),
  ];
}

function rowsOf({ guest, name, isDown, rx, tx, drops }: RegionState["ports"][number]) {
  const rate = drops.reduce((sum, { frameRate }) => sum + frameRate, 0);
  const all = drops.reduce((sum, { frames }) => sum + frames, 0);
  const cells = [
    element("td", `${guest} ${name}${isDown ? " (down)" : ""}`, isDown ? "bad" : ""),
    ...[rx, tx].flatMap(({ frameRate, bitRate }) => [
      element("td", short(frameRate)),
      element("td", short(bitRate)),
    ]),
    element("td", short(rate), rate > 0 ? "bad" : ""),
    element("td", short(all)),
  ];
  return [
    row(cells),
    ...drops.map(({ reason, frames, frameRate }) => {
      const why = element("td", reason, "reason");
      why.setAttribute("colspan", "5");
      const number = element("td", short(frameRate), frameRate > 0 ? "bad" : "soft");
      return row([why, number, element("td", short(frames), "soft")], "drop");
    }),
  ];
}
