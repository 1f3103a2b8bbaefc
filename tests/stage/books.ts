import { pause } from "../kit/lab.ts";
import { addJudgements, judge, type Judgement } from "./accounts.ts";
import type { Stage } from "./stage.ts";
import type { Traffic, TrafficReport } from "../kit/traffic.ts";
import type { Loss } from "../kit/traffic_end.ts";

/** When no host was there, in seconds of CLOCK_MONOTONIC. */
export interface Absence {
  readonly from: number;
  readonly until: number;
}

/** A round's account. */
export interface Settled {
  readonly judgement: Judgement;
  /** Lost frames that had been sent before the host went. */
  readonly underWay: number;
  /** All numbers, should they not balance. */
  readonly told: string;
}

/** How long frames may take to come to rest: other programs may have the cores. */
const REST_MS = 20_000;

/** Milliseconds between two looks: hosts publish their counters every 100. */
const LOOK_MS = 150;

/** Looks that must find the same. */
const LOOKS_ALIKE = 2;

/** Seconds for which a frame can be under way, in sockets, rings and mbufs, when its host ends. */
const UNDER_WAY = 1;

/** Frames of all pairs until one moment. */
interface Totals {
  readonly report: TrafficReport;
  readonly counted: readonly number[];
  readonly kernel: readonly number[];
}

/** Accounts for all frames of a round, while nothing is sent. */
export class Books {
  #before?: Totals;
  #losses: Loss[] = [];

  /** Gets all reports of the traffic, as a loss is in one of them only. */
  constructor(private readonly stage: Stage, private readonly traffic: Traffic) {
    traffic.onReport = ({ losses }) => this.#losses.push(...losses);
  }

  /**
   * Wait until all frames have come to rest and are accounted for, or have had all the time for it.
   *
   * @param absence When frames could be lost that nobody counts, if they could.
   */
  async settle(absence?: Absence): Promise<Settled> {
    let last = "";
    let alike = 0;
    let now = await this.#totals();
    for (const start = performance.now(); performance.now() - start < REST_MS;) {
      const key = JSON.stringify([now.report.ends, now.counted]);
      alike = key === last ? alike + 1 : 0;
      last = key;
      const isBalanced = this.#judge(now, absence).unaccounted === 0;
      if (isBalanced && alike >= LOOKS_ALIKE) break;
      await pause(LOOK_MS);
      now = await this.#totals();
    }
    await this.traffic.tell({ settle: true });
    const judgement = this.#judge(now, absence);
    const underWay = absence ? this.#lostBetween(absence.from - UNDER_WAY, absence.from) : 0;
    const told = JSON.stringify(this.#rounds(now, absence));
    this.#before = now;
    this.#losses = [];
    return { judgement, underWay: Math.min(underWay, judgement.withHost), told };
  }

  async #totals(): Promise<Totals> {
    const { counts, pairs } = this.stage;
    const kernel = await counts.byKernel();
    const report = await this.traffic.tell();
    return { report, kernel, counted: [...pairs.keys()].map((pair) => counts.counted(pair)) };
  }

  #judge(now: Totals, absence?: Absence): Judgement {
    return addJudgements(this.#rounds(now, absence).map(judge));
  }

  #rounds(now: Totals, absence?: Absence) {
    return now.counted.map((_, pair) => {
      const since = (of: (totals: Totals) => number) =>
        of(now) - (this.#before ? of(this.#before) : 0);
      const both = (key: "sent" | "received" | "missed") =>
        since(({ report }) => report.ends[2 * pair][key] + report.ends[2 * pair + 1][key]);
      const lostWithHost = absence
        ? this.#lostBetween(absence.from - UNDER_WAY, absence.until, pair)
        : 0;
      return {
        sent: both("sent"),
        received: both("received"),
        missed: both("missed"),
        counted: since(({ counted }) => counted[pair]),
        kernel: since(({ kernel }) => kernel[pair]),
        lostWithHost,
      };
    });
  }

  #lostBetween(from: number, until: number, pair?: number): number {
    return this.#losses.filter(({ flow, sentAt }) =>
      sentAt >= from && sentAt < until && (pair === undefined || flow >> 1 === pair)
    ).reduce((sum, { frames }) => sum + frames, 0);
  }
}
