/**
 * A program that sends numbered frames and checks those that arrive, on interfaces of the network
 * namespace that it runs in.
 *
 * usage: traffic_process.ts '{"run": 1, "bytesMax": 1514, "ends": [{"link": "a", "flow": 0}]}'
 *
 * An end sends its flow; the flow that ends there differs in the lowest bit. The program reads
 * {@linkcode Order}s in JSON, one a line, and answers each with a {@linkcode TrafficReport}.
 *
 * @module
 */
import { shim } from "../../ffi/shim.ts";
import type { Wrongs } from "./flow_checker.ts";
import { type Addresses, FlowFrames } from "./flow_frame.ts";
import { type Loss, SendLog, TrafficEnd } from "./traffic_end.ts";

/** What the program is given on its command line. */
export interface TrafficSetup {
  readonly run: number;
  readonly bytesMax: number;
  /** What happens to addresses on the way; `kept` if left out. */
  readonly addresses?: Addresses;
  /** The core that it is pinned to; none if left out. */
  readonly core?: number;
  readonly ends: readonly { readonly link: string; readonly flow: number }[];
}

/** What it is told. What is left out stays as it is. */
export interface Order {
  /** Frames a second that each end sends. */
  readonly rate?: number;
  /** Frames that each end sends in all. */
  readonly count?: number;
  /** Tell when the first frames arrive that are sent from now on. */
  readonly mark?: number;
  /** What has not arrived by now is lost. */
  readonly settle?: boolean;
}

/** One end, since it was started. */
export interface EndReport {
  readonly sent: number;
  readonly received: number;
  readonly bytes: number;
  /** Frames of the flow that ends here which have not come although later ones have. */
  readonly missing: number;
  /** Frames that this end's socket had no room for. */
  readonly missed: number;
  readonly foreign: number;
  readonly wrongs: Wrongs;
}

/** All ends. Times are in seconds of CLOCK_MONOTONIC. */
export interface TrafficReport {
  readonly now: number;
  readonly ends: readonly EndReport[];
  /** Found since the last report. */
  readonly losses: readonly Loss[];
  /** For each mark and end, when the first frame arrived that was sent after the mark. */
  readonly marks: Readonly<Record<number, { at: number; arrived: (number | null)[] }>>;
}

const STAMPS_PER_SECOND = 10_000;

/** Milliseconds between two turns, and between two looks at interfaces that were down. */
const TURN_MS = 1, REFRESH_MS = 50;

const seconds = () => shim.shim_clock() / 1e9;

class Traffic {
  readonly #ends: TrafficEnd[];
  readonly #logs: SendLog[];
  readonly #peers: number[];
  readonly #start = seconds();
  #marks: Record<number, { at: number; stamp: number; arrived: (number | null)[] }> = {};
  #rate = 0;
  #count = Infinity;

  constructor({ run, bytesMax, addresses, ends }: TrafficSetup) {
    const frames = new FlowFrames(run, bytesMax);
    this.#logs = ends.map(() => new SendLog());
    this.#peers = ends.map(({ flow }) => ends.findIndex((end) => end.flow === (flow ^ 1)));
    this.#ends = ends.map(({ link, flow }, i) => {
      const peer = { flow: flow ^ 1, addresses, log: this.#logs[this.#peers[i]] };
      return new TrafficEnd(link, flow, frames, this.#logs[i], peer);
    });
  }

  /** Send and receive for ever. */
  async run(): Promise<never> {
    for (let last = seconds(), refreshed = last;;) {
      const now = seconds();
      const stamp = this.#stampOf(now);
      for (const end of this.#ends) {
        end.receive();
        this.#meetMarks(end);
        end.send(this.#rate, this.#count, now - last, stamp);
      }
      last = now;
      if ((now - refreshed) * 1000 > REFRESH_MS) {
        refreshed = now;
        for (const end of this.#ends) end.refresh();
      }
      await new Promise((resolve) => setTimeout(resolve, TURN_MS));
    }
  }

  follow({ rate = this.#rate, count = this.#count, mark, settle }: Order): TrafficReport {
    this.#rate = rate;
    this.#count = count;
    const at = seconds();
    const arrived = this.#ends.map(() => null);
    if (mark !== undefined) this.#marks = { [mark]: { at, stamp: this.#stampOf(at) + 1, arrived } };
    if (settle) this.#settle();
    const losses = merge(this.#ends.flatMap((end) => end.losses))
      .map((loss) => ({ ...loss, sentAt: this.#start + loss.sentAt / STAMPS_PER_SECOND }));
    for (const end of this.#ends) end.losses = [];
    return { now: seconds(), ends: this.#ends.map(reportOf), losses, marks: this.#marks };
  }

  #settle(): void {
    this.#ends.forEach(({ checker }, i) => checker.settle(this.#ends[this.#peers[i]]?.sent ?? 0));
    this.#logs.forEach((log, i) => log.forget(this.#ends[i].sent));
  }

  #stampOf(now: number): number {
    return Math.floor((now - this.#start) * STAMPS_PER_SECOND);
  }

  #meetMarks(end: TrafficEnd): void {
    if (end.newest < 0) return;
    for (const { stamp, arrived } of Object.values(this.#marks)) {
      if (end.newest >= stamp) arrived[this.#ends.indexOf(end)] ??= seconds();
    }
  }
}

function reportOf({ sent, missed, checker }: TrafficEnd): EndReport {
  const { received, bytes, missing, foreign, wrongs } = checker;
  return { sent, received, bytes, missing, missed, foreign, wrongs };
}

/** Losses of one flow at nearly the same time in one. */
function merge(losses: readonly Loss[]): Loss[] {
  const sums = new Map<string, Loss>();
  for (const { flow, sentAt, frames } of losses) {
    const rounded = Math.floor(sentAt / 100) * 100;
    const key = `${flow} ${rounded}`;
    sums.set(key, { flow, sentAt: rounded, frames: frames + (sums.get(key)?.frames ?? 0) });
  }
  return [...sums.values()];
}

if (import.meta.main) {
  const setup: TrafficSetup = JSON.parse(Deno.args[0]);
  if (setup.core !== undefined) shim.shim_thread_pin(setup.core);
  const traffic = new Traffic(setup);
  traffic.run();
  console.log("READY");
  let rest = "";
  for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines) console.log(`T ${JSON.stringify(traffic.follow(JSON.parse(line)))}`);
  }
  Deno.exit(0);
}
