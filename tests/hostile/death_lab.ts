/**
 * What is killed, and what is watched meanwhile: a host of two cables and a TAP, its guest, frames that flow.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  account,
  assertBalanced,
  type CableEnd,
  exists,
  Lab,
  type Running,
  testFrame,
  waitUntil,
  type Wire,
} from "../kit/lab.ts";
import { processesNaming, statOf } from "../kit/processes.ts";

/** What takes longer than we promise, in milliseconds. */
const LATE_MS = 1000;

/** Half of the deaths of other kinds, where a VM or a file has its part, must be over after so long. */
const SLOW_MS = 3000;

/** A Deno that does nothing takes 30 to 40 ms where nobody else wants the cores; longer, and they are busy. */
const BARE_START_MS = 80;

/** Milliseconds that a Deno takes to start and end now, as a measure of how busy the machine is. */
async function bareStart(): Promise<number> {
  const start = performance.now();
  const { success } = await new Deno.Command(Deno.execPath(), { args: ["eval", "0"] }).output();
  assert(success, "deno eval 0");
  return performance.now() - start;
}

/**
 * How long after a restart frames flowed again: one number for each death, in milliseconds. Half of them must
 * be in time. Where that is a second, it is measured beside each death how long a bare Deno takes to start:
 * as many times as that takes longer than on a machine at rest, so much longer may it be.
 */
export class Recoveries {
  readonly #found: number[] = [];
  readonly #starts: number[] = [];

  /** @param isPrompt Whether a second is promised. */
  constructor(private readonly isPrompt = false) {}

  /** One death is over. To be waited for under the same load as it was. */
  async add(milliseconds: number): Promise<void> {
    this.#found.push(milliseconds);
    if (this.isPrompt) this.#starts.push(await bareStart());
  }

  /** How many there were. */
  get count(): number {
    return this.#found.length;
  }

  /** What was found, in words; half of it must have been in time. */
  report(): string {
    const sorted = ascending(this.#found);
    assert(sorted.length > 0, "nobody died");
    const at = (share: number) => Math.round(sorted[Math.floor(share * (sorted.length - 1))]);
    const limit = this.#limit();
    assert(at(0.5) < limit, `not within ${limit} ms, but after ${sorted.map(Math.round)} ms`);
    const late = sorted.filter((milliseconds) => milliseconds > LATE_MS).length;
    return `${sorted.length} times, back after ${at(0)} (least) ${at(0.5)} (median) ${
      at(0.9)
    } (90 %) ` +
      `${at(1)} ms (most), ${late} times later than 1 s; at most ${limit} ms (median) are right`;
  }

  /** What the median must be below. */
  #limit(): number {
    if (!this.isPrompt) return SLOW_MS;
    const start = ascending(this.#starts)[this.#starts.length >>> 1];
    return Math.round(LATE_MS * Math.max(1, start / BARE_START_MS));
  }
}

function ascending(values: readonly number[]): number[] {
  return values.toSorted((a, b) => a - b);
}

/** Kill a process, as no program can prepare for. */
export function kill(pid: number): void {
  Deno.kill(pid, "SIGKILL");
}

/** A host and a guest at work on two cables, under traffic, to be killed: `await using lab = await DeathLab.open()`. */
export class DeathLab implements AsyncDisposable {
  host!: Running;
  guest!: Running;
  wires!: { a: Wire; b: Wire };
  readonly tap: string;
  readonly #seen = new Set<number>();

  private constructor(readonly lab: Lab, private readonly pair: { a: CableEnd; b: CableEnd }) {
    this.tap = lab.name("tap");
  }

  static async open({ guest = true } = {}): Promise<DeathLab> {
    await using made = new AsyncDisposableStack(); // and to be disposed of, if the rest fails
    const lab = made.use(await Lab.open());
    const death = new DeathLab(lab, await lab.namespacePair({ quiet: true }));
    lab.removeLink(death.tap);
    death.wires = await lab.wires(death.pair);
    await death.startHost();
    if (guest) await death.#startFirstGuest();
    made.move();
    return death;
  }

  async #startFirstGuest(): Promise<void> {
    this.startGuest();
    await this.guest.stderrLine(/forwarding/);
    await this.lab.flows(this.wires);
  }

  get region(): string {
    return this.lab.region;
  }

  /** Start a host, and wait until guests may come. */
  async startHost(...args: string[]): Promise<void> {
    const { a, b } = this.pair;
    const ports = [`packet:${a.outer}`, `packet:${b.outer}`, `tap:${this.tap}`];
    this.host = this.lab.host([...ports.flatMap((port) => ["--port", port]), ...args]);
    await this.host.stderrLine(/is ready/);
    this.#look();
  }

  startGuest(): void {
    this.guest = this.lab.guest(["--no-mac-updating", "-T", "0"]);
  }

  /** Both cables' ends. */
  get ends(): CableEnd[] {
    return [this.pair.a, this.pair.b];
  }

  /** Frames in one direction, all the time, until the result is disposed of. */
  traffic(): AsyncDisposable {
    return this.wires.a.traffic(testFrame(60));
  }

  /** Milliseconds from `start` until a frame gets through both ways. */
  async flowsSince(start: number): Promise<number> {
    await this.lab.flows(this.wires);
    const took = performance.now() - start;
    this.#look();
    if (took > LATE_MS) {
      const [host, guest] = [this.host, this.guest].map((one) =>
        (one?.stderr ?? "").split("\n").slice(-6)
      );
      console.log(`  late, after ${Math.round(took)} ms:`, [...host, ...guest].join("\n    "));
    }
    return took;
  }

  /** End this host and guest well: no mbuf, and nothing else, may be lost or left behind. */
  async finish(): Promise<void> {
    const ended = await this.guest?.stop();
    if (ended) assert.equal(ended.code, 0, ended.stderr);
    const { code, stdout, stderr } = await this.host.stop();
    assert.equal(code, 0, stderr);
    assertBalanced(account(stdout));
    await this.assertNothingLeft();
  }

  /** No socket, TAP, process or zombie of all that there was. */
  async assertNothingLeft(): Promise<void> {
    await this.lab.nothingLeft();
    assert.equal(await this.lab.link(this.tap), undefined, "the TAP is gone");
    const left = () =>
      [...this.#seen, ...processesNaming(this.region)].filter((pid) => exists(`/proc/${pid}`));
    assert(
      await waitUntil(() => left().length === 0),
      `processes ${JSON.stringify(left().map(statOf))} are left`,
    );
    for (const { outer } of this.ends) {
      assert.equal((await this.lab.link(outer))?.promiscuity, 0, `${outer} is as it was`);
    }
  }

  #look(): void {
    for (const pid of processesNaming(this.region)) this.#seen.add(pid);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.lab[Symbol.asyncDispose]();
  }
}
