import { figuresOf } from "../inspect/figures.ts";
import { type RegionLook, RegionWatch } from "../inspect/region_watch.ts";
import { WakeableTimer } from "../lcore/wakeable_timer.ts";
import { stdout } from "../linux/output.ts";
import { History } from "./history.ts";
import { Screen } from "./screen.ts";
import {
  type Found,
  type Line,
  plainLines,
  problemTexts,
  type Sort,
  SORTS,
  viewLines,
} from "./view.ts";

/** What `culvert top` is asked to do. */
export interface TopOptions {
  /** Names and paths of regions; none: all that have a server. */
  readonly regions: readonly string[];
  /** Seconds between two looks. */
  readonly interval: number;
  /** How many times to show figures before the end; undefined: until `signal`. */
  readonly count?: number;
}

/** Milliseconds between the first two looks: rates need two. */
const FIRST_MS = 500;

/**
 * Show what regions do, until `signal`, the key q, or the end of the program that reads it.
 *
 * @throws {CulvertError} if a region that was named is neither name nor path.
 */
export async function runTop(options: TopOptions, signal: AbortSignal): Promise<void> {
  const watch = new RegionWatch(options.regions);
  try {
    if (Screen.isThere()) await showOnScreen(watch, options, signal);
    else await showLines(watch, options, signal);
  } finally {
    watch.close();
  }
}

/** Looks at all regions, and calculates figures from each look and the one before it. */
class Looks {
  #last: readonly RegionLook[];

  constructor(private readonly watch: RegionWatch) {
    this.#last = watch.look(performance.now());
  }

  next(): Found {
    const looks = this.watch.look(performance.now());
    const last = new Map(this.#last.map((look) => [look.name, look]));
    this.#last = looks;
    const regions = looks.flatMap((look) =>
      look.report ? [figuresOf({ ...look, report: look.report }, last.get(look.name))] : []
    );
    return { looks, regions };
  }
}

async function showLines(
  watch: RegionWatch,
  { interval, count = Infinity }: TopOptions,
  signal: AbortSignal,
): Promise<void> {
  const timer = new WakeableTimer();
  signal.addEventListener("abort", () => timer.wake());
  const looks = new Looks(watch);
  let told: readonly string[] = [];
  await timer.wait(FIRST_MS);
  for (let shown = 0; shown < count && !signal.aborted; shown++) {
    if (shown > 0) await timer.wait(interval * 1000);
    if (signal.aborted) return;
    const time = new Date().toTimeString().slice(0, 8);
    const found = looks.next();
    const lines = plainLines(found, time, told);
    told = problemTexts(found);
    if (lines.length > 0) stdout.line(lines.join("\n"));
    await stdout.flush();
    if (stdout.isBroken) return;
  }
}

async function showOnScreen(
  watch: RegionWatch,
  { interval, count = Infinity }: TopOptions,
  signal: AbortSignal,
): Promise<void> {
  const timer = new WakeableTimer();
  const wake = () => timer.wake();
  signal.addEventListener("abort", wake);
  using screen = new Screen();
  const state = new TopState(screen);
  Deno.addSignalListener("SIGWINCH", wake);
  screen.readKeys((key) => {
    state.press(key);
    timer.wake();
  });
  const looks = new Looks(watch);
  try {
    let due = performance.now() + FIRST_MS;
    for (let shown = 0; !state.hasEnded && !signal.aborted;) {
      if (!state.draw()) return;
      await timer.wait(Math.max(0, due - performance.now()));
      if (performance.now() < due) continue; // a key, a resize
      if (++shown > count) return;
      due = performance.now() + interval * 1000;
      state.show(looks.next());
    }
  } finally {
    Deno.removeSignalListener("SIGWINCH", wake);
  }
}

/** What is on the screen, and what the user has asked for. */
class TopState {
  hasEnded = false;
  #sort: Sort = "order";
  #hasDetails = false;
  #from = 0;
  #lines = 0;
  #found?: Found;
  #time = "";
  readonly #history = new History();

  constructor(private readonly screen: Screen) {}

  show(found: Found): void {
    this.#found = found;
    this.#time = new Date().toTimeString().slice(0, 8);
    this.#history.add(found.regions);
  }

  press(key: string): void {
    const page = this.screen.size.rows - 2;
    const steps: Readonly<Record<string, number>> = {
      "up": -1,
      "down": 1,
      "page up": -page,
      "page down": page,
    };
    if (key === "q" || key === "end") this.hasEnded = true;
    else if (key === "s") this.#sort = SORTS[(SORTS.indexOf(this.#sort) + 1) % SORTS.length];
    else if (key === "d") this.#hasDetails = !this.#hasDetails;
    else if (Object.hasOwn(steps, key)) {
      const last = Math.max(0, this.#lines - page);
      this.#from = Math.min(last, Math.max(0, this.#from + steps[key]));
    }
  }

  draw(): boolean {
    const { columns, rows } = this.screen.size;
    const wishes = { sort: this.#sort, hasDetails: this.#hasDetails };
    const body: Line[] = this.#found
      ? viewLines(this.#found, wishes, this.#history, columns)
      : [{ text: "looking ..." }];
    this.#lines = body.length;
    const room = Math.max(1, rows - 2);
    const shown = body.slice(this.#from, this.#from + room);
    const more = body.length > room ? `, lines ${this.#from + 1}-${this.#from + room}` : "";
    const title = `culvert top  ${this.#time}`;
    const keys = `q quit  s sort: ${this.#sort}  d details: ` +
      `${this.#hasDetails ? "on" : "off"}  up/down${more}${more && ` of ${body.length}`}`;
    const blank = Array<Line>(Math.max(0, room - shown.length)).fill({ text: "" });
    return this.screen.draw([{ text: title, style: "head" }, ...shown, ...blank, {
      text: keys,
      style: "dim",
    }]);
  }
}
