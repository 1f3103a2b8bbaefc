/**
 * The program that sends the soak's frames and checks those that arrive: all ends in one process, in
 * the network namespace where they lie.
 *
 * usage: traffic_process.ts '{"run": 1, "bytesMax": 1514, "core": 1, "links": ["a", "b"]}'
 *
 * Ends 0 and 1 send to each other, 2 and 3 too. It reads {@linkcode Order}s in JSON, a line each, and
 * answers each with a {@linkcode TrafficReport}.
 *
 * @module
 */
import { shim } from "../../ffi/shim.ts";
import type { Wrongs } from "./flow_checker.ts";
import { SoakFrames } from "./soak_frame.ts";
import { type Loss, SendLog, TrafficEnd } from "./traffic_end.ts";

/** What the traffic process is given on its command line. */
export interface TrafficSetup {
  readonly run: number;
  readonly bytesMax: number;
  readonly core: number;
  readonly links: readonly string[];
}

/** What it is told; all that is left out stays as it is. */
export interface Order {
  /** Frames a second of each end. */
  readonly rate?: number;
  /** Tell when the first frames arrive that are sent from now on. */
  readonly mark?: number;
  /** What has not arrived by now is lost. */
  readonly settle?: boolean;
}

/** One flow, from its beginning. */
export interface FlowReport {
  readonly sent: number;
  readonly received: number;
  readonly bytes: number;
  /** Found missing until now. */
  readonly missing: number;
  /** Frames that the receiving end's socket had no room for. */
  readonly missed: number;
  readonly foreign: number;
  readonly wrongs: Wrongs;
}

/** All flows. Times are in seconds of CLOCK_MONOTONIC. */
export interface TrafficReport {
  readonly now: number;
  readonly flows: readonly FlowReport[];
  /** Found since the last report. */
  readonly losses: readonly Loss[];
  /** For each mark since it was set, and each flow, when the first frame arrived that was sent after it. */
  readonly marks: Readonly<Record<number, { at: number; arrived: (number | null)[] }>>;
}

/** Stamps a second. */
export const STAMPS_PER_SECOND = 10_000;

/** Milliseconds between two turns, and between two looks at interfaces that were down. */
const TURN_MS = 1, REFRESH_MS = 50;

const seconds = () => shim.shim_clock() / 1e9;

class Traffic {
  readonly #ends: TrafficEnd[];
  readonly #logs: SendLog[];
  readonly #start = seconds();
  #marks: Record<number, { at: number; stamp: number; arrived: (number | null)[] }> = {};
  #rate = 0;

  constructor({ run, bytesMax, links }: TrafficSetup) {
    const frames = new SoakFrames(run, bytesMax);
    this.#logs = links.map(() => new SendLog());
    this.#ends = links.map((link, flow) => {
      const peer = { flow: flow ^ 1, log: this.#logs[flow ^ 1] };
      return new TrafficEnd(link, flow, frames, this.#logs[flow], peer);
    });
  }

  /** Send and receive for ever. */
  async run(): Promise<never> {
    let last = seconds();
    let refreshed = last;
    for (;;) {
      const now = seconds();
      const stamp = this.#stampOf(now);
      for (const end of this.#ends) {
        end.receive();
        this.#meetMarks(end);
        end.send(this.#rate, now - last, stamp);
      }
      last = now;
      if ((now - refreshed) * 1000 > REFRESH_MS) {
        refreshed = now;
        for (const end of this.#ends) end.refresh();
      }
      await new Promise((resolve) => setTimeout(resolve, TURN_MS));
    }
  }

  follow({ rate, mark, settle }: Order): TrafficReport {
    if (rate !== undefined) this.#rate = rate;
    const at = seconds();
    const arrived = this.#ends.map(() => null);
    if (mark !== undefined) this.#marks = { [mark]: { at, stamp: this.#stampOf(at) + 1, arrived } };
    if (settle) {
      this.#ends.forEach(({ checker }, end) => checker.settle(this.#ends[end ^ 1].sent));
      this.#logs.forEach((log, flow) => log.forget(this.#ends[flow].sent));
    }
    const losses = this.#ends.flatMap((end) => end.losses);
    for (const end of this.#ends) end.losses = [];
    return { now: seconds(), flows: this.#flows(), losses: merge(losses), marks: this.#marks };
  }

  #flows(): FlowReport[] {
    return this.#ends.map(({ sent }, flow) => {
      const { checker, missed } = this.#ends[flow ^ 1];
      const { received, bytes, next, foreign, wrongs } = checker;
      return { sent, received, bytes, missing: next - received, missed, foreign, wrongs };
    });
  }

  /** A loss's time in seconds, as `now` has it. */
  timeOf(stamp: number): number {
    return this.#start + stamp / STAMPS_PER_SECOND;
  }

  #stampOf(now: number): number {
    return Math.floor((now - this.#start) * STAMPS_PER_SECOND);
  }

  #meetMarks(end: TrafficEnd): void {
    if (end.newest < 0) return;
    const flow = this.#ends.indexOf(end) ^ 1;
    for (const { stamp, arrived } of Object.values(this.#marks)) {
      if (end.newest >= stamp) arrived[flow] ??= seconds();
    }
  }
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

/** The lines that come in. */
async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}

if (import.meta.main) {
  const setup: TrafficSetup = JSON.parse(Deno.args[0]);
  shim.shim_thread_pin(setup.core);
  const traffic = new Traffic(setup);
  traffic.run();
  console.log("READY");
  for await (const line of lines(Deno.stdin.readable)) {
    const { losses, ...report } = traffic.follow(JSON.parse(line));
    const timed = losses.map((loss) => ({ ...loss, sentAt: traffic.timeOf(loss.sentAt) }));
    console.log(`T ${JSON.stringify({ ...report, losses: timed })}`);
  }
  Deno.exit(0);
}
