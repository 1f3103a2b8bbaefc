/**
 * Hostile guests in a second region of a stage's host, with a TAP and a veth for ports. A program
 * at the other ends looks at each frame that leaves there.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { COUNTER, DROPS } from "../../app/port/counters.ts";
import { frameMaxOf } from "../../app/port/kernel_port.ts";
import { account, type Lab, type Running } from "../kit/lab.ts";
import { isThere, serverOf } from "../kit/processes.ts";
import { until, waitUntil } from "../kit/wait.ts";
import type { LeakReport, LeakWatchSetup } from "./leak_watch_process.ts";
import { makePair } from "./stage.ts";

/** Hostile guests that are ready. */
export interface HostileGuests {
  /** Let them attack. */
  begin(): Promise<void>;
  /** End them; what went wrong with them, in words, empty if nothing did. */
  end(): Promise<string>;
}

/** Prepares an attack in a network namespace. */
export type StartAttack = (lab: Lab, netns: string, seed: number) => Promise<Attack>;

/** Starts hostile guests in both places of a region. */
export type StartHostile = (lab: Lab, region: string, seed: number) => Promise<HostileGuests>;

const PROGRAM = fileURLToPath(new URL("./leak_watch_process.ts", import.meta.url));

/** The host's limit, and the interfaces': it must be the host that keeps to its limit. */
const MTU = 1500, LINK_MTU = { packet: 9000, xdp: 3400 } as const;

/** Frames a second that hostile guests receive on each port, and that must leave by each. */
const FEED_RATE = 4000, LOOKED_MIN = 500;

/** The kernel refuses frames that are shorter than an Ethernet header: none may get there. */
const REFUSED = DROPS.find(({ counter }) => counter === COUNTER.TX_REFUSED)!.reason;

/** The attack on a stage's host. */
export class Attack {
  #hostile!: HostileGuests;
  #watch!: Running;

  private constructor(
    private readonly lab: Lab,
    private readonly netns: string,
    /** The attacked region: guest 0 has the TAP, guest 1 the veth. */
    readonly region: string,
    /** What the host has to be told. Nobody is put in quarantine, so that the attack goes on. */
    readonly hostArgs: readonly string[],
    private readonly links: readonly string[],
    private readonly startHostile: () => Promise<HostileGuests>,
  ) {}

  /** Make the interfaces, of which the host has one by `kind`. */
  static by(startHostile: StartHostile, kind: "packet" | "xdp" = "packet"): StartAttack {
    return async (lab, netns, seed) => {
      const region = lab.newRegion();
      const { tap, inner, outer } = await makePair(lab, netns, 9, LINK_MTU[kind]);
      const hostArgs = [
        // Few mbufs, so that hostile guests often hold the last one: canaries are behind it.
        ...["--region", region, "--size", "8M", "--mbufs", "256", "--ring-size", "256"],
        ...["--port", `tap:${tap}`, "--guest", "1", "--port", `${kind}:${outer}`],
        ...["--quarantine-after", "0"],
      ];
      const start = () => startHostile(lab, region, seed);
      return new Attack(lab, netns, region, hostArgs, [tap, inner], start);
    };
  }

  /** The host is ready: start hostile guests, which wait, and the program that watches. */
  async ready(): Promise<void> {
    this.#hostile = await this.startHostile();
    const setup: LeakWatchSetup = { links: this.links, frameMax: frameMaxOf(MTU), rate: FEED_RATE };
    const deno = [Deno.execPath(), "run", "-A", "--no-check", PROGRAM, JSON.stringify(setup)];
    this.#watch = this.lab.start("ip", "netns", "exec", this.netns, ...deno);
    await this.#watch.stdoutLine(/^READY/);
  }

  begin(): Promise<void> {
    return this.#hostile.begin();
  }

  /** Wait until frames enough have left by each port: without them nothing is shown. */
  async seen(): Promise<void> {
    const areEnough = async () => (await this.#report()).every(({ left }) => left >= LOOKED_MIN);
    await until(areEnough, "hardly a frame left by the attacked ports");
  }

  /** The host has been stopped, and this is its summary: end all; what was wrong, in words. */
  async end(summary: string): Promise<string[]> {
    const leaks = await this.#report();
    const failure = await this.#hostile.end();
    const refused = account(summary).dropped.get(REFUSED) ?? 0;
    const isAttacked = /^ {2}violations by guest [01] of region /m.test(summary);
    await this.#endServer();
    console.log(`  frames looked at: ${leaks.map(({ link, left }) => `${left} at ${link}`)}`);
    return [
      ...failure === "" ? [] : [failure],
      ...refused === 0 ? [] : [`${refused} frames went to the kernel that no interface takes`],
      ...isAttacked ? [] : [`no violation was counted: ${summary}`],
      ...leaks.flatMap(complaintsOf),
    ];
  }

  async #report(): Promise<LeakReport[]> {
    await this.#watch.write("");
    return JSON.parse((await this.#watch.stdoutLine(/^L /)).slice(2));
  }

  /** Where the header was spoiled, the server keeps the region for a minute. */
  async #endServer(): Promise<void> {
    const server = serverOf(this.region);
    if (server === undefined) return;
    Deno.kill(server, "SIGTERM");
    await waitUntil(() => !isThere(server));
  }
}

/** What is wrong with the frames that left by a port, in words. */
function complaintsOf({ link, firstLeak, wrongs }: LeakReport): string[] {
  return Object.entries(wrongs).filter(([, frames]) => frames > 0)
    .map(([what, frames]) => `${frames} frames ${what} left by ${link}, the first of ${firstLeak}`);
}
