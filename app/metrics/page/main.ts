/// <reference lib="dom" />
/**
 * The page of `culvert metrics`, in a browser: asks the server once a second for new values, and
 * shows them.
 *
 * @module
 */
import { Plots, type Series } from "./plots.ts";
import { type RegionState, showRegions } from "./regions.ts";

/** What the server answers: see `PlotHistory.after()`. */
interface Answer {
  readonly times: number[];
  readonly series: Series[];
  readonly regions: RegionState[];
}

/** Looks that are shown, and milliseconds between two requests to the server. */
const LENGTH = 600, ASK_MS = 1000;

const byId = (id: string) => document.getElementById(id)!;
const plots = new Plots(byId("plots"));
let times: number[] = [];
let series = new Map<string, Series>();

/** Put new values behind the known ones: a series that was not there before begins with nulls. */
function take(answer: Answer): void {
  const known = times.length;
  const next = new Map<string, Series>();
  for (const { kind, label, values } of answer.series) {
    const before = series.get(`${kind} ${label}`)?.values;
    const columns = Object.entries(values).map(([name, column]) => [
      name,
      [...before?.[name] ?? Array<null>(known).fill(null), ...column].slice(-LENGTH),
    ]);
    next.set(`${kind} ${label}`, { kind, label, values: Object.fromEntries(columns) });
  }
  times = [...times, ...answer.times].slice(-LENGTH);
  series = next;
}

async function ask(): Promise<void> {
  const state = byId("state");
  try {
    const response = await fetch(`history.json?since=${times.at(-1) ?? 0}`);
    const answer: Answer = await response.json();
    take(answer);
    showRegions(byId("regions"), answer.regions);
    plots.show(times, [...series.values()]);
    const count = answer.regions.length;
    state.textContent = count === 0 ? "no region here" : `${count} region${count === 1 ? "" : "s"}`;
    state.className = "";
  } catch (error) {
    state.textContent = `no answer: ${(error as Error).message}`;
    state.className = "bad";
  }
  setTimeout(ask, ASK_MS);
}

ask();
