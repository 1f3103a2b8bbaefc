import assert from "node:assert/strict";
import { runHost } from "../../app/host/run_host.ts";
import type { Counters } from "../../app/port/counters.ts";
import { parsePortSpec } from "../../app/port/port_spec.ts";
import { CheckedExchange, type CheckedOrder } from "./checked_port.ts";
import type { Lab, Running } from "./lab.ts";
import { PATIENCE_MS, pause, until, waitUntil } from "./wait.ts";
import { Findings } from "./witness_port.ts";

/** A region of the host, with the ports of its guests: `["ring:0 link:a", "link:a ring:1"]`. */
export interface CheckedRegion {
  readonly name: string;
  readonly guests: readonly string[];
}

/** What a checked host is. */
export interface CheckedHostOptions extends Partial<CheckedOrder> {
  readonly regions: readonly CheckedRegion[];
  readonly cores?: readonly number[];
  readonly quarantineAfter?: number;
  readonly mbufs?: number;
  readonly ringSize?: number;
}

/** How long the host may take to stop, beside the time that its drain takes. */
const STOP_MS = 10_000;

/**
 * A host in the test's own process. Its ports `ring:0` and `ring:1` send each other frames through
 * guests and check every byte of those that come back, as fast as memory lets them. All that leaves
 * by the ports `ring:w0`, `ring:w1` ... is looked at: see `WitnessPort`.
 */
export class CheckedHost implements AsyncDisposable {
  readonly exchange: CheckedExchange;
  readonly findings = Findings.create();
  /** What it has logged, by line. */
  readonly said: string[] = [];
  /** Why it has failed; empty while it has not. */
  failure = "";
  /** Of all its ports. */
  counters: readonly Counters[] = [];
  readonly #stop = new AbortController();
  readonly #ended: Promise<string>;

  constructor(options: CheckedHostOptions) {
    const { regions, cores = [0], quarantineAfter, mbufs = 2048, ringSize = 256 } = options;
    const { frames = 2 ** 31 - 1, window = 128, addresses = "kept", seed = 1 } = options;
    this.exchange = new CheckedExchange({ frames, window, addresses, seed });
    const url = new URL("./checked_host_worker.ts", import.meta.url);
    url.search = `${this.exchange.search}&findings=${this.findings.fd}`;
    const made = regions.map(({ name, guests }) => ({
      ...{ name, size: mbufs * 4096, mbufs, ringSize },
      guests: guests.map((text, number) => ({
        number,
        ports: text.split(" ").map(parsePortSpec),
      })),
    }));
    this.#ended = runHost(
      {
        regions: made,
        mtu: 1500,
        cores,
        idle: "adaptive",
        burst: 32,
        statsPeriod: 0,
        quarantineAfter,
      },
      url,
      this.#stop.signal,
      (line) => this.said.push(line),
      (counters) => this.counters = counters,
    ).catch((error) => {
      this.failure = `the host has failed: ${error}`;
      return "";
    });
  }

  /** Start a guest in these places, one process each, and wait until the host has let all in. */
  async attach(
    lab: Lab,
    places: readonly (readonly [region: string, guest: number])[],
    args: readonly string[],
  ): Promise<Running[]> {
    const guests = places.map(([region, guest]) =>
      lab.guest(["--region", region, "--guest", `${guest}`, "-T", "0", ...args])
    );
    const areIn = () =>
      this.failure !== "" ||
      this.said.filter((line) => / attached /.test(line)).length >= guests.length;
    const told = () => [this.failure, ...this.said, ...guests.map((g) => g.stderr)].join("\n");
    await until(areIn, told);
    assert.equal(this.failure, "");
    return guests;
  }

  /** Wait, unless the host fails meanwhile, until something holds; false if it does not in time. */
  async waitUntil(isTrue: () => boolean, patience = PATIENCE_MS): Promise<boolean> {
    return await waitUntil(() => isTrue() || this.failure !== "", patience) && isTrue();
  }

  /** What is wrong with the frames that came back to both ports, in words; empty if nothing is. */
  get faults(): string {
    return [0, 1].map((port) => this.exchange.faultsAt(port)).filter(Boolean).join("; ");
  }

  /** Stop it; its summary, or undefined if it does not end in time. */
  async stop(): Promise<string | undefined> {
    this.#stop.abort();
    return await Promise.race([this.#ended, pause(STOP_MS).then(() => undefined)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.exchange.close();
    this.findings.close();
  }
}
