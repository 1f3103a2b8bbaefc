/**
 * Frames go through real processes while faults happen to these, a round for each fault.
 *
 * A round is: frames are sent; a fault strikes, lasts, and is undone; frames flow again; sending
 * stops; the frames are accounted for. If the host lives, frames sent = frames received + frames
 * counted as dropped, for the ports of each guest. If the fault ends the host, nobody counts the
 * frames that the host held, nor those that came while there was none: each such frame must have
 * been sent between a second before the fault and the moment when frames flowed again. In no case
 * may a frame be changed, repeated, overtaken, or come out elsewhere.
 *
 * @module
 */
import { usableCores } from "../../app/linux/core_list.ts";
import { pause } from "../kit/lab.ts";
import { noWrongs } from "../kit/flow_checker.ts";
import { Random } from "../kit/random.ts";
import { type EndReport, sumOf, Traffic, type TrafficReport } from "../kit/traffic.ts";
import { addJudgements } from "./accounts.ts";
import { Books, type Settled } from "./books.ts";
import { type Fault, strike } from "./faults.ts";
import { Guard } from "./guard.ts";
import { bareStart } from "./recovery.ts";
import { clock, type FaultRecord, progressText, type StageReport } from "./report.ts";
import { Stage, type StageOptions } from "./stage.ts";

/** What is run. */
export interface RunOptions extends StageOptions {
  readonly seed: number;
  /** Frames a second that each of the interfaces sends. */
  readonly rate: number;
  /** Seconds of traffic before each fault, on average. */
  readonly calm: number;
  /** The next fault; undefined to end. `elapsed` is in seconds. */
  readonly nextFault: (elapsed: number, random: Random) => Fault | undefined;
  /** Told how it goes, a line at a time. */
  readonly log: (line: string) => void;
}

/** How long frames may take to flow again: other programs may have the cores, a VM has to boot. */
const RECOVERY_MS = 30_000, BOOTING_MS = 180_000;

/** Broken promises after which the run ends. */
const BROKEN_MAX = 10;

/** Seconds between two lines that tell how it goes. */
const PROGRESS = 10;

/** Send frames, let faults strike, account for every frame after each. */
export async function runFaults(options: RunOptions): Promise<StageReport> {
  await using stage = await Stage.open(options);
  const traffic = await Traffic.start(stage.lab, stage.netns, {
    run: options.seed,
    bytesMax: options.mtu + 14,
    core: usableCores().at(-1)!,
    addresses: "swapped",
    ends: stage.pairs.flatMap(({ tap, inner }) => [tap, inner])
      .map((link, flow) => ({ link, flow })),
  });
  await stage.start(options.seed);
  return await new Rounds(options, stage, traffic).run();
}

/** A run under way. */
class Rounds {
  readonly #start = performance.now();
  readonly #random: Random;
  readonly #books: Books;
  readonly #faults: FaultRecord[] = [];
  readonly #guard: Guard;
  readonly #broken = new Set<string>();
  #isOver = false;

  constructor(
    private readonly options: RunOptions,
    private readonly stage: Stage,
    private readonly traffic: Traffic,
  ) {
    this.#random = new Random(options.seed);
    this.#books = new Books(stage, traffic);
    this.#guard = new Guard(stage, traffic.running.pid);
  }

  async run(): Promise<StageReport> {
    const { stage, traffic, options } = this;
    const watching = this.#watch().catch((error) => this.#break(`watching: ${error}`));
    try {
      await this.#round();
      while (this.#broken.size < BROKEN_MAX) {
        const fault = options.nextFault(this.#elapsed, this.#random);
        if (!fault) break;
        await this.#round(fault);
      }
    } catch (error) {
      this.#break(`${error instanceof Error ? error.message : error}`);
      options.log(stage.lastWords());
    }
    this.#isOver = true;
    await watching;
    const reasons = stage.counts.reasons();
    const { ends } = await traffic.tell();
    try {
      for (const complaint of await stage.finish()) this.#break(complaint);
    } catch (error) {
      this.#break(`the end: ${error instanceof Error ? error.message : error}`);
    }
    for (const problem of this.#guard.growth()) this.#break(problem);
    const { seed, rate, mtu } = options;
    return {
      ...{ seed, rate, mtu, minutes: this.#elapsed / 60, reasons },
      ...{ sent: sumOf(ends, "sent"), received: sumOf(ends, "received") },
      ...{ bytes: sumOf(ends, "bytes"), wrongs: wrongsOf(ends) },
      account: addJudgements(this.#faults.map(({ judgement }) => judgement)),
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

  /** Traffic, a fault in it unless it is left out, recovery, rest. Each frame is accounted for. */
  async #round(fault?: Fault): Promise<void> {
    const { stage, traffic, options } = this;
    const random = this.#random;
    await traffic.tell({ rate: options.rate });
    const at = this.#elapsed;
    let recovery, absence;
    if (fault) {
      await pause(2000 * options.calm * random.fraction());
      const { now: from } = await traffic.tell();
      const struck = await strike(fault, stage, random);
      recovery = await this.#recover(() => struck.undo(), struck.guests);
      if (recovery !== null) recovery = Math.max(recovery, struck.reconnected);
      const { now: until } = await traffic.tell();
      if (fault.expected.losses === "with the host") absence = { from, until };
    } else recovery = await this.#recover(() => Promise.resolve(), [...stage.guests.keys()]);
    await pause(200 + random.fraction() * 300 * options.calm);
    await traffic.tell({ rate: 0 });
    const name = fault?.name ?? "no fault";
    const bare = fault ? await bareStart() : 0;
    await this.#enter({ name, at, recovery, bare }, await this.#books.settle(absence));
  }

  /** Undo a fault; seconds until frames of these guests flow both ways, null if never. */
  async #recover(undo: () => Promise<void>, guests: readonly number[]): Promise<number | null> {
    const mark = await this.traffic.mark();
    await undo();
    const limit = this.options.guests.includes("vm") ? BOOTING_MS : RECOVERY_MS;
    const ends = guests.flatMap((guest) => [2 * guest, 2 * guest + 1]);
    return await this.traffic.flowing(mark, ends, limit) ?? null;
  }

  async #enter(
    fault: Omit<FaultRecord, "judgement" | "underWay">,
    settled: Settled,
  ): Promise<void> {
    const { judgement, underWay, told } = settled;
    this.#faults.push({ ...fault, judgement, underWay });
    const where = `after "${fault.name}" at ${fault.at.toFixed(0)} s`;
    if (fault.recovery === null) throw new Error(`${where} frames do not flow again`);
    if (judgement.unaccounted !== 0) this.#break(`${where} frames are not accounted for: ${told}`);
    if (underWay > this.stage.underWayMax) {
      this.#break(`${where} ${underWay} frames were under way`);
    }
    const problems = await this.#guard.atRest(this.#elapsed);
    for (const problem of problems) this.#break(`${where} ${problem}`);
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
        const last = this.#guard.seconds.slice(-PROGRESS);
        this.options.log(progressText(sumOf(now.ends, "received"), this.#faults, last));
      }
      before = now;
    }
  }

  #findWrongs({ ends }: TrafficReport): void {
    for (const [kind, frames] of Object.entries(wrongsOf(ends))) {
      if (frames > 0) this.#break(`frames were ${kind}`);
    }
    if (sumOf(ends, "foreign") > 0) this.#break("frames that nobody sent came out");
  }
}

/** What is wrong with the frames of all ends. */
function wrongsOf(ends: readonly EndReport[]) {
  const all = noWrongs();
  for (const { wrongs } of ends) {
    for (const kind of Object.keys(all) as (keyof typeof all)[]) all[kind] += wrongs[kind];
  }
  return all;
}
