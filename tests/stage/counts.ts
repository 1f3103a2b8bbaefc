import { decodeRegion } from "../../app/inspect/decode.ts";
import { COUNTER_KEYS } from "../../app/inspect/decode_channel.ts";
import { findRegion, type FoundRegion } from "../../app/inspect/find_region.ts";
import type { RegionReport } from "../../app/inspect/region_report.ts";
import { COUNTER, DROPS } from "../../app/port/counters.ts";
import type { Lab, Running } from "../kit/lab.ts";
import type { Pair } from "./stage.ts";

/** Counters of frames that do not come through, by reason, but for those that a guest held. */
const REASONS = [
  { counter: COUNTER.MISSED, reason: "no room in the port's socket" },
  ...DROPS.filter(({ counter }) => counter !== COUNTER.GUEST_LOST),
].map(({ counter, reason }) => ({ key: COUNTER_KEYS.get(counter)!, reason }));
const HELD_KEY = COUNTER_KEYS.get(COUNTER.GUEST_LOST)!;

/** Frames that did not come through a stage, as its hosts until now and the kernel count them. */
export class Counts {
  #host?: Running;
  #region?: FoundRegion;
  #server = 0;
  /** Of hosts that are gone: by pair, and by reason. */
  readonly #before: number[];
  readonly #reasonsBefore = new Map<string, number>();

  constructor(
    private readonly lab: Lab,
    private readonly netns: string,
    private readonly pairs: readonly Pair[],
  ) {
    this.#before = pairs.map(() => 0);
  }

  /** From now on look into the region of this host, whose memory a server keeps. */
  follow(host: Running, server: number): void {
    this.#host = host;
    if (this.#region && server === this.#server) return;
    this.#region?.memory.close();
    this.#region = findRegion(this.lab.region);
    this.#server = server;
  }

  /** The host has ended: keep what it counted, as the next host begins with zeros. */
  keep(): void {
    for (const pair of this.pairs.keys()) this.#before[pair] += this.#countedNow(pair);
    for (const [reason, frames] of this.#reasonsNow()) add(this.#reasonsBefore, reason, frames);
  }

  /** What the region says now. */
  inspect(): RegionReport {
    return decodeRegion(this.#region!.memory);
  }

  /** Frames of a pair that hosts have counted as dropped, or as held by a guest that went. */
  counted(pair: number): number {
    return this.#before[pair] + this.#countedNow(pair);
  }

  /** Frames by reason, of all hosts until now. */
  reasons(): Record<string, number> {
    const all = new Map(this.#reasonsBefore);
    for (const [reason, frames] of this.#reasonsNow()) add(all, reason, frames);
    return Object.fromEntries(all);
  }

  /** Frames that the kernel counts as dropped on the interfaces of each pair. */
  async byKernel(): Promise<number[]> {
    const { stdout } = await this.lab.run("ip", "-n", this.netns, "-s", "-json", "link");
    const links: { ifname: string; stats64: { rx: { dropped: number } } }[] = JSON.parse(stdout);
    return this.pairs.map((pair) =>
      links.filter(({ ifname }) => Object.values(pair).includes(ifname))
        .reduce((sum, { stats64: { rx } }) => sum + rx.dropped, 0)
    );
  }

  /** Let go of the region. */
  close(): void {
    this.#region?.memory.close();
    this.#region = undefined;
  }

  /** What a counter says of a guest's channels. */
  #sum({ channels }: RegionReport, pair: number, key: string): number {
    return channels.filter(({ name }) => name.startsWith(`g${pair}.`))
      .reduce((total, { counters }) => total + (counters[key] ?? 0), 0);
  }

  #countedNow(pair: number): number {
    const region = this.inspect();
    const drops = REASONS.reduce((total, { key }) => total + this.#sum(region, pair, key), 0);
    return drops + this.#heldBy(region, pair);
  }

  /** What guests held that went: logged at once, counted in the region when the host ends. */
  #heldBy(region: RegionReport, guest: number): number {
    const who = `guest ${guest} (?:of region ${this.lab.region} )?`;
    const line = new RegExp(`${who}held (\\d+) mbufs: taken back`, "g");
    const held = this.#host!.stderr.matchAll(line);
    const logged = [...held].reduce((sum, [, mbufs]) => sum + Number(mbufs), 0);
    return Math.max(this.#sum(region, guest, HELD_KEY), logged);
  }

  #reasonsNow(): Map<string, number> {
    const now = new Map<string, number>();
    const region = this.inspect();
    for (const pair of this.pairs.keys()) {
      for (const { key, reason } of REASONS) add(now, reason, this.#sum(region, pair, key));
      add(now, "held by the guest when it went", this.#heldBy(region, pair));
    }
    return now;
  }
}

function add(into: Map<string, number>, reason: string, frames: number): void {
  if (frames > 0) into.set(reason, (into.get(reason) ?? 0) + frames);
}
