/**
 * The soak: frames go through real processes while faults happen to these, a round for each fault.
 *
 * A round is: frames are sent; a fault strikes; frames flow again; sending stops; all comes to rest; the
 * books are closed. In a round whose fault leaves the host alive, frames sent = frames received +
 * frames that are counted as dropped, to the frame, for each guest's ports by themselves. Where the
 * fault takes the host away, what it held, and what came while none was there, is counted by nobody: such a
 * frame must have been sent in the fault's window, from a second before it struck until frames flowed
 * again, and is told apart. Never, in no window, may a frame be changed, repeated, overtaken, or come
 * out elsewhere.
 *
 * @module
 */
import { usableCores } from "../../app/linux/core_list.ts";
import { Lab, pause } from "../kit/lab.ts";
import { addJudgements } from "./accounts.ts";
import { Books, type Settled } from "./books.ts";
import type { Fault } from "./faults.ts";
import { clock, type FaultRecord, progressText, type SoakReport, wrongsOf } from "./soak_report.ts";
import { Guard } from "./guard.ts";
import { Random } from "../kit/random.ts";
import { PAIRS, Stage, UNDER_WAY_MAX } from "./stage.ts";
import { Traffic } from "./traffic.ts";
import type { TrafficReport } from "./traffic_process.ts";

/** What a soak is to be. */
export interface SoakOptions {
  readonly seed: number;
  /** Frames a second that each of the four interfaces sends. */
  readonly rate: number;
  /** Of all interfaces: frames are as long as it lets them. */
  readonly mtu: number;
  /** Seconds of traffic before each fault, on average. */
  readonly calm: number;
  /** Whether the second guest is a VM. */
  readonly vm?: boolean;
  /** The fault to come; undefined when it is time to end. `elapsed` is in seconds. */
  readonly nextFault: (elapsed: number, random: Random) => Fault | undefined;
  /** Told how it goes, a line at a time. */
  readonly log: (line: string) => void;
}

/** How long frames may take to flow again: other programs may have the cores. */
const RECOVERY_MS = 30_000, BOOTING_MS = 180_000;

/** Broken promises after which there is no use in going on. */
const BROKEN_MAX = 10;

/** Seconds between two lines that tell how it goes. */
const PROGRESS = 10;

/** Send frames, let faults happen, account for every frame after each. */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  await using lab = await Lab.open();
  const stage = await Stage.open(lab, options.mtu);
  try {
    const traffic = await Traffic.start(lab, stage.netns, {
      run: options.seed,
      bytesMax: options.mtu + 14,
      core: usableCores().at(-1)!,
      links: stage.pairs.flatMap(({ tap, inner }) => [tap, inner]),
    });
    await stage.start(options.vm);
    return await new Soak(options, stage, traffic).run();
  } finally {
    stage.close();
  }
}

/** A soak under way. */
class Soak {
  readonly #start = performance.now();
  readonly #random: Random;
  readonly #books: Books;
  readonly #faults: FaultRecord[] = [];
  readonly #guard: Guard;
  readonly #broken = new Set<string>();
  #isOver = false;

  constructor(
    private readonly options: SoakOptions,
    private readonly stage: Stage,
    private readonly traffic: Traffic,
  ) {
    this.#random = new Random(options.seed);
    this.#books = new Books(stage, traffic);
    this.#guard = new Guard(stage, traffic.running.pid);
  }

  async run(): Promise<SoakReport> {
    const { stage, traffic, options } = this;
    const watching = this.#watch().catch((error) => this.#break(`watching: ${error}`));
    try {
      await this.#quietRound();
      while (this.#broken.size < BROKEN_MAX) {
        const fault = options.nextFault(this.#elapsed, this.#random);
        if (!fault) break;
        await this.#round(fault);
      }
    } catch (error) {
      this.#break(`${error instanceof Error ? error.message : error}`);
      this.options.log(this.stage.lastWords());
    }
    this.#isOver = true;
    await watching;
    const reasons = Object.fromEntries(stage.allReasons());
    const { flows } = await traffic.tell();
    await this.#finish();
    for (const problem of this.#guard.growth()) this.#break(problem);
    return this.#report(flows, reasons);
  }

  #report(flows: TrafficReport["flows"], reasons: Record<string, number>): SoakReport {
    const sum = (key: "sent" | "received" | "bytes") =>
      flows.reduce((total, flow) => total + flow[key], 0);
    return {
      seed: this.options.seed,
      minutes: this.#elapsed / 60,
      rate: this.options.rate,
      mtu: this.options.mtu,
      sent: sum("sent"),
      received: sum("received"),
      bytes: sum("bytes"),
      wrongs: wrongsOf(flows),
      account: addJudgements(this.#faults.map(({ judgement }) => judgement)),
      reasons,
      faults: this.#faults,
      seconds: this.#guard.seconds,
      broken: [...this.#broken],
    };
  }

  get #elapsed(): number {
    return (performance.now() - this.#start) / 1000;
  }

  #break(promise: string): void {
    if (this.#broken.has(promise)) return;
    this.#broken.add(promise);
    this.options.log(`${clock(this.#elapsed)} BROKEN: ${promise}`);
  }

  /** Traffic without a fault: it must flow, and nothing be lost uncounted. */
  async #quietRound(): Promise<void> {
    const at = this.#elapsed;
    await this.traffic.tell({ rate: this.options.rate });
    const mark = await this.traffic.mark();
    const recovery = await this.#flowing(mark, pairsOf());
    await pause(500);
    await this.traffic.tell({ rate: 0 });
    this.#enter("no fault", at, recovery, await this.#books.settle());
  }

  /** Traffic, a fault in it, recovery, rest. Then every frame must be accounted for. */
  async #round(fault: Fault): Promise<void> {
    const { stage, traffic, options } = this;
    const random = this.#random;
    await traffic.tell({ rate: options.rate });
    await pause(2000 * options.calm * random.fraction());
    const { now: from } = await traffic.tell();
    const at = this.#elapsed;
    const struck = await fault.strike({ stage, traffic, random });
    const recovery = await this.#flowing(struck.mark, struck.pairs);
    const { now: until } = await traffic.tell();
    await pause(200 + random.fraction() * 800);
    await traffic.tell({ rate: 0 });
    const absence = fault.isExact ? undefined : { from, until };
    this.#enter(fault.name, at, recovery, await this.#books.settle(absence));
  }

  /** Seconds from a mark until frames flow each way of these pairs; null if that takes too long. */
  async #flowing(mark: number, pairs: readonly number[]): Promise<number | null> {
    const limit = this.options.vm ? BOOTING_MS : RECOVERY_MS;
    for (const start = performance.now(); performance.now() - start < limit;) {
      const { at, arrived } = (await this.traffic.tell()).marks[mark];
      const times = pairs.flatMap((pair) => [arrived[2 * pair], arrived[2 * pair + 1]]);
      if (times.every((time) => time !== null)) return Math.max(...times) - at;
      await pause(50);
    }
    return null;
  }

  #enter(name: string, at: number, recovery: number | null, settled: Settled): void {
    const { judgement, underWay, told } = settled;
    this.#faults.push({ name, at, recovery, judgement, underWay });
    const where = `after "${name}" at ${at.toFixed(0)} s`;
    if (recovery === null) throw new Error(`${where} frames do not flow again`);
    if (judgement.unaccounted !== 0) this.#break(`${where} frames are not accounted for: ${told}`);
    if (underWay > UNDER_WAY_MAX) this.#break(`${where} ${underWay} frames were under way`);
    for (const problem of this.#guard.atRest(this.#elapsed)) this.#break(`${where} ${problem}`);
  }

  /** Each second until the end: what the plot shows, and wrong frames. */
  async #watch(): Promise<void> {
    let before = await this.traffic.tell();
    let told = 0;
    while (!this.#isOver) {
      await pause(1000);
      const now = await this.traffic.tell();
      this.#guard.enterSecond(this.#elapsed, before, now);
      this.#findWrongs(now);
      if (this.#elapsed - told >= PROGRESS) {
        told = this.#elapsed;
        this.options.log(
          progressText(now.flows, this.#faults, this.#guard.seconds.slice(-PROGRESS)),
        );
      }
      before = now;
    }
  }

  #findWrongs({ flows }: TrafficReport): void {
    for (const [kind, frames] of Object.entries(wrongsOf(flows))) {
      if (frames > 0) this.#break(`frames were ${kind}`);
    }
    const foreign = flows.reduce((total, flow) => total + flow.foreign, 0);
    if (foreign > 0) this.#break(`frames that nobody sent came out`);
  }

  async #finish(): Promise<void> {
    try {
      await this.stage.finish();
    } catch (error) {
      this.#break(`the end: ${error instanceof Error ? error.message : error}`);
    }
  }
}

function pairsOf(): number[] {
  return Array.from({ length: PAIRS }, (_, pair) => pair);
}
