import assert from "node:assert/strict";
import { decodeRegion } from "../../app/inspect/decode.ts";
import { COUNTER_KEYS } from "../../app/inspect/decode_channel.ts";
import { findRegion, type FoundRegion } from "../../app/inspect/find_region.ts";
import type { RegionReport } from "../../app/inspect/region_report.ts";
import { usableCores } from "../../app/linux/core_list.ts";
import { socketPath } from "../../app/memory/region_name.ts";
import { COUNTER, DROPS } from "../../app/port/counters.ts";
import { account, assertBalanced, BOOT_MS, exists, Lab, type Running } from "../kit/lab.ts";
import { commandOf, processesNaming } from "../kit/processes.ts";
import { GuestProcess, GuestVm, type StageGuest } from "./stage_guest.ts";

/** Guests, each with a TAP and a veth between which it forwards. */
export const PAIRS = 2;

/** Mbufs of the host. */
export const MBUFS = 8192;

/** Frames in a TAP's queue, and small ones in a socket's buffer, which the kernel doubles. */
const TAP_QUEUE = 1000, SOCKET_QUEUE = 2 * (4 << 20) / 768;

/** Frames that may be under way when the host dies: in its mbufs, and in the kernel's queues to it. */
export const UNDER_WAY_MAX = MBUFS + PAIRS * (TAP_QUEUE + SOCKET_QUEUE);

/** The interfaces of one guest's two ports. Frames are sent on `tap` and on `inner`. */
export interface Pair {
  readonly tap: string;
  readonly inner: string;
  /** The other end of the veth, which the host has open. */
  readonly outer: string;
}

/** Keys in a region report of what is counted of frames that do not come through. */
const DROP_KEYS = [COUNTER.MISSED, ...DROPS.map(({ counter }) => counter)]
  .filter((counter) => counter !== COUNTER.GUEST_LOST)
  .map((counter) => COUNTER_KEYS.get(counter)!);
const HELD_KEY = COUNTER_KEYS.get(COUNTER.GUEST_LOST)!;

/** Real processes in a network namespace of their own: server, host, guests, and their interfaces. */
export class Stage {
  /** Frames by reason that hosts counted which are gone. */
  readonly reasons = new Map<string, number>();
  /** By number. */
  guests: readonly StageGuest[] = [];
  host!: Running;
  #region?: FoundRegion;
  #serverOfRegion = 0;
  /** Counted by hosts that are gone, by pair. */
  readonly #before = Array.from({ length: PAIRS }, () => 0);

  private constructor(
    readonly lab: Lab,
    readonly netns: string,
    readonly pairs: readonly Pair[],
    readonly mtu: number,
  ) {}

  /** Interfaces alone; no process runs yet. */
  static async open(lab: Lab, mtu: number): Promise<Stage> {
    const netns = await lab.namespace({ quiet: true });
    await lab.inNamespace(netns, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1");
    const ip = (...args: string[]) => lab.run("ip", "-n", netns, ...args);
    const pairs: Pair[] = [];
    for (let i = 0; i < PAIRS; i++) {
      const pair = { tap: `tap${i}`, inner: `inner${i}`, outer: `outer${i}` };
      await ip("tuntap", "add", pair.tap, "mode", "tap");
      await ip("link", "add", pair.outer, "type", "veth", "peer", "name", pair.inner);
      for (const link of Object.values(pair)) {
        await ip("link", "set", link, "mtu", `${mtu}`, "up");
      }
      pairs.push(pair);
    }
    return new Stage(lab, netns, pairs, mtu);
  }

  /** Server and host, then the guests, all ready; the last one is a VM if wanted. */
  async start(withVm = false): Promise<void> {
    await this.startHost();
    this.guests = this.pairs.map((_, guest) =>
      withVm && guest === PAIRS - 1
        ? new GuestVm(this.lab, guest)
        : new GuestProcess(() => this.#startGuest(guest))
    );
    for (let guest = 0; guest < PAIRS; guest++) {
      const line = new RegExp(`guest ${guest} attached`);
      if (!line.test(this.host.stderr)) await this.host.stderrLine(line, BOOT_MS);
    }
  }

  /** Start a host, and a server if there is none; wait until guests may come. */
  async startHost(): Promise<void> {
    const ports = this.pairs.flatMap((
      { tap, outer },
      guest,
    ) => ["--guest", `${guest}`, "--port", `tap:${tap}`, "--port", `packet:${outer}`]);
    const { netns, mtu } = this;
    const room = ["--mbufs", `${MBUFS}`, "--mtu", `${mtu}`, "-l", `${usableCores()[0]}`];
    const size = mtu > 1500 ? ["--size", "128M"] : [];
    this.host = this.lab.host([...ports, ...room, ...size], { netns });
    await this.host.stderrLine(/is ready/);
    const server = this.serverPid() ?? 0;
    if (this.#region && server === this.#serverOfRegion) return;
    this.#region?.memory.close();
    this.#region = findRegion(this.lab.region);
    this.#serverOfRegion = server;
  }

  /** Kill the host, and take down what it had told until then. */
  async killHost(): Promise<void> {
    const { code } = await this.host.stop("SIGKILL");
    assert.equal(code, 137, this.host.stderr.slice(-2000));
    this.#keepCounts();
  }

  /** Stop the host: it must end well, its own account balanced, all its mbufs free. */
  async stopHost(): Promise<void> {
    const { code, stdout, stderr } = await this.host.stop("SIGTERM");
    assert.equal(code, 0, stderr.slice(-2000));
    assertBalanced(account(stdout));
    this.#keepCounts();
  }

  /** The server's process; undefined if there is none. */
  serverPid(): number | undefined {
    return processesNaming(socketPath(this.lab.region)).find((pid) => {
      const words = commandOf(pid);
      return words[0] === Deno.execPath() && words.includes("server");
    });
  }

  /** How often host and guests have found the region's server again; a VM never does. */
  timesReconnected(): number[] {
    const members = this.guests.filter((guest) => guest instanceof GuestProcess);
    return [this.host.stderr, ...members.map(({ said }) => said)]
      .map((said) => said.match(/the server is there again/g)?.length ?? 0);
  }

  /** What the region says now. */
  inspect(): RegionReport {
    return decodeRegion(this.#region!.memory);
  }

  /** Frames of a pair that hosts have counted as dropped, or as held by a guest that went. */
  counted(pair: number): number {
    const region = this.inspect();
    return this.#before[pair] + this.#countedNow(region, pair);
  }

  /** Frames that the kernel counts as dropped on the interfaces of a pair, some of them told to the sender too. */
  async kernelDropped(): Promise<number[]> {
    const { stdout } = await this.lab.run("ip", "-n", this.netns, "-s", "-json", "link");
    const links: { ifname: string; stats64: { rx: { dropped: number } } }[] = JSON.parse(stdout);
    return this.pairs.map((pair) =>
      links.filter(({ ifname }) => Object.values(pair).includes(ifname))
        .reduce((sum, { stats64: { rx } }) => sum + rx.dropped, 0)
    );
  }

  /** Frames by reason, of all hosts until now. */
  allReasons(): Map<string, number> {
    const all = new Map(this.reasons);
    this.#addReasons(all, this.inspect());
    return all;
  }

  /** All processes that should be running, by what they are. */
  roles(): Map<string, number> {
    const roles = new Map([["host", this.host.pid]]);
    const server = this.serverPid();
    if (server !== undefined) roles.set("server", server);
    this.guests.forEach((guest, i) => roles.set(`guest ${i}`, guest.pid));
    return roles;
  }

  /** The ends of what host and guests have logged. */
  lastWords(): string {
    const all = [this.host.stderr, ...this.guests.map(({ said }) => said)];
    return all.map((said) => said.slice(-1500)).join("\n---\n");
  }

  /** What should be running and is not. */
  missing(): string[] {
    const roles = this.roles();
    return [...["server"].filter((role) => !roles.has(role))].concat(
      [...roles].filter(([, pid]) => !exists(`/proc/${pid}`)).map(([role]) => role),
    );
  }

  /** Stop guests and host; nothing of the region may be left. */
  async finish(): Promise<void> {
    for (const guest of this.guests) await guest.stop();
    await this.stopHost();
    await this.lab.nothingLeft();
  }

  /** Let go of the region. */
  close(): void {
    this.#region?.memory.close();
  }

  #startGuest(guest: number): Running {
    const args = ["--guest", `${guest}`, "--no-mac-updating", "-T", "0"];
    const core = ["-l", `${usableCores().at(guest % 2 === 0 ? -1 : 0)}`];
    return this.lab.guest([...args, ...core], { netns: this.netns });
  }

  #keepCounts(): void {
    const region = this.inspect();
    for (let pair = 0; pair < PAIRS; pair++) {
      this.#before[pair] += this.#countedNow(region, pair);
    }
    this.#addReasons(this.reasons, region);
  }

  #countedNow(region: RegionReport, pair: number): number {
    const channels = region.channels.filter(({ name }) => name.startsWith(`g${pair}.`));
    const sum = (key: string) =>
      channels.reduce((total, { counters }) => total + (counters[key] ?? 0), 0);
    const drops = DROP_KEYS.reduce((total, key) => total + sum(key), 0);
    return drops + Math.max(sum(HELD_KEY), this.#heldBy(pair));
  }

  /** What guests held that went: told in the log at once, counted in the region when the host ends. */
  #heldBy(guest: number): number {
    const held = this.host.stderr.matchAll(
      new RegExp(`guest ${guest} held (\\d+) mbufs: taken back`, "g"),
    );
    return [...held].reduce((sum, [, mbufs]) => sum + Number(mbufs), 0);
  }

  #addReasons(into: Map<string, number>, region: RegionReport): void {
    const add = (reason: string, frames: number) =>
      frames > 0 && into.set(reason, (into.get(reason) ?? 0) + frames);
    for (const { counters } of region.channels) {
      for (const { counter, reason } of DROPS) {
        if (counter === COUNTER.GUEST_LOST) continue;
        add(reason, counters[COUNTER_KEYS.get(counter)!] ?? 0);
      }
      add("no room in the port's socket", counters[COUNTER_KEYS.get(COUNTER.MISSED)!] ?? 0);
    }
    for (let guest = 0; guest < PAIRS; guest++) {
      add("held by the guest when it went", this.#heldBy(guest));
    }
  }
}
