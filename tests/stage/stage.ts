import assert from "node:assert/strict";
import { usableCores } from "../../app/linux/core_list.ts";
import { account, assertBalanced, BOOT_MS, Lab, type Running, until } from "../kit/lab.ts";
import { commandOf, isThere, processesNaming } from "../kit/processes.ts";
import { socketPath } from "../../app/memory/region_name.ts";
import type { Attack, StartAttack } from "./attack.ts";
import { Counts } from "./counts.ts";
import { GuestProcess, GuestVm, type StageGuest } from "./stage_guest.ts";

/** Mbufs of the host. */
export const MBUFS = 8192;

/** Frames in a TAP's queue, and small ones in a socket's buffer, whose size the kernel doubles. */
const TAP_QUEUE = 1000, SOCKET_QUEUE = 2 * (4 << 20) / 768;

/** The interfaces of one guest's two ports. Frames are sent on `tap` and on `inner`. */
export interface Pair {
  readonly tap: string;
  readonly inner: string;
  /** The other end of the veth, which the host has open. */
  readonly outer: string;
}

/** What a stage is. */
export interface StageOptions {
  /** The guests of the region, by number: each forwards between a TAP and a veth. */
  readonly guests: readonly ("process" | "vm")[];
  /** Of all interfaces. */
  readonly mtu: number;
  /** Lcores of the host. */
  readonly lcores?: number;
  /** By what the host has the veths open; AF_PACKET if left out. */
  readonly kind?: "packet" | "xdp";
  /** Starts hostile guests in a second region of the host, if there shall be any. */
  readonly attack?: StartAttack;
}

/** Server, host and guests, all real processes, and their interfaces in a network namespace. */
export class Stage implements AsyncDisposable {
  readonly guests: StageGuest[] = [];
  host!: Running;
  /** The hostile guests of the second region. */
  attack?: Attack;
  readonly counts: Counts;
  /** A TAP that the host makes, and that must be gone with it. */
  readonly #madeTap = "made";

  private constructor(
    readonly lab: Lab,
    readonly netns: string,
    readonly pairs: readonly Pair[],
    private readonly options: StageOptions,
  ) {
    this.counts = new Counts(lab, netns, pairs);
  }

  /** Make the interfaces; no process runs yet. */
  static async open(options: StageOptions): Promise<Stage> {
    await using made = new AsyncDisposableStack();
    const lab = made.use(await Lab.open());
    const netns = await lab.namespace({ quiet: true });
    await lab.inNamespace(netns, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1");
    const pairs: Pair[] = [];
    for (const i of options.guests.keys()) pairs.push(await makePair(lab, netns, i, options.mtu));
    made.move();
    return new Stage(lab, netns, pairs, options);
  }

  /** Start the server and the host, then the guests, and wait until all of them are attached. */
  async start(seed: number): Promise<void> {
    const { lab, netns, options } = this;
    this.attack = await options.attack?.(lab, netns, seed);
    await this.startHost();
    for (const [guest, kind] of options.guests.entries()) {
      const start = () => this.#startGuest(guest);
      this.guests.push(kind === "vm" ? new GuestVm(lab, guest) : new GuestProcess(start));
    }
    for (const guest of options.guests.keys()) await this.attached(guest);
    await this.attack?.ready();
  }

  /** Lcores of the host. */
  get lcores(): number {
    return this.options.lcores ?? 1;
  }

  /** Whether the host has the veths by AF_XDP. */
  get isXdp(): boolean {
    return this.options.kind === "xdp";
  }

  /** Wait until the present host has attached a guest. */
  async attached(guest: number): Promise<void> {
    const line = new RegExp(`guest ${guest} (of region ${this.lab.region} )?attached`);
    const isAttached = () => line.test(this.host.stderr);
    await until(() => isAttached() || this.host.isOver, () => this.lastWords(), BOOT_MS);
    if (!isAttached()) throw new Error(`the host has ended: ${this.lastWords()}`);
  }

  /** Start a host, and a server if there is none; wait until guests can attach. */
  async startHost(): Promise<void> {
    const server = this.serverPid();
    const { pairs, lcores, options: { mtu, kind = "packet" }, lab: { region } } = this;
    const ports = pairs.flatMap(({ tap, outer }, guest) => [
      ...["--guest", `${guest}`, "--port", `tap:${tap}`, "--port", `${kind}:${outer}`],
    ]);
    const cores = usableCores().slice(0, lcores).join();
    const room = ["--mbufs", `${MBUFS}`, "--size", mtu > 1500 ? "128M" : "64M"];
    this.host = this.lab.host([
      ...["-l", cores, "--mtu", `${mtu}`, "--region", region, ...room],
      ...[...ports, "--port", `tap:${this.#madeTap}`, ...this.attack?.hostArgs ?? []],
    ], { netns: this.netns });
    const regions = this.attack ? [region, this.attack.region] : [region];
    for (const name of regions) await this.host.stderrLine(new RegExp(`region ${name} is ready`));
    const serves = this.serverPid();
    if (server !== undefined) assert.equal(serves, server, "the region's server has changed");
    this.counts.follow(this.host, serves ?? 0);
  }

  /** Kill the host. */
  async killHost(): Promise<void> {
    const { code } = await this.host.stop("SIGKILL");
    assert.equal(code, 137, this.host.stderr.slice(-2000));
    this.counts.keep();
    await this.#assertLinksRestored();
  }

  /** Stop the host: it must end with status 0, with all frames and mbufs accounted for. */
  async stopHost(): Promise<void> {
    const { code, stdout, stderr } = await this.host.stop("SIGTERM");
    assert.equal(code, 0, stderr.slice(-2000));
    assertBalanced(account(stdout));
    this.counts.keep();
    await this.#assertLinksRestored();
  }

  /** The server's process, found without joining the server; undefined if there is none. */
  serverPid(): number | undefined {
    return processesNaming(socketPath(this.lab.region)).find((pid) => {
      const words = commandOf(pid);
      return words[0] === Deno.execPath() && words.includes("server");
    });
  }

  /** How often the host and each guest process have found the region's server again. */
  timesReconnected(): number[] {
    const members = this.guests.filter((guest) => guest instanceof GuestProcess);
    return [this.host.stderr, ...members.map(({ said }) => said)]
      .map((said) => said.match(/the server is there again/g)?.length ?? 0);
  }

  /** Most frames that can be under way when the host dies: in its mbufs, and in queues to it. */
  get underWayMax(): number {
    return MBUFS + this.pairs.length * (TAP_QUEUE + SOCKET_QUEUE);
  }

  /** All processes that should run, by what they are; undefined for one that does not. */
  roles(): Map<string, number | undefined> {
    const roles = new Map([["host", this.host.pid], ["server", this.serverPid()]]);
    this.guests.forEach((guest, i) => roles.set(`guest ${i}`, guest.pid));
    for (const [role, pid] of roles) if (pid && !isThere(pid)) roles.set(role, undefined);
    return roles;
  }

  /** The ends of what host and guests have logged. */
  lastWords(): string {
    const all = [this.host.stderr, ...this.guests.map(({ said }) => said)];
    return all.map((said) => said.slice(-1500)).join("\n---\n");
  }

  /** Stop guests and host, while an attack goes on. Nothing of them may be left; what is wrong. */
  async finish(): Promise<string[]> {
    for (const guest of this.guests) await guest.stop();
    await this.stopHost();
    this.counts.close(); // a server stays as long as somebody has its memory mapped
    const complaints = await this.attack?.end(this.host.stdout) ?? [];
    await this.lab.nothingLeft();
    const left = () => processesNaming(this.lab.region);
    await until(() => left().length === 0, () => `left: ${left().map(commandOf)}`);
    return complaints;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.counts.close();
    await this.lab[Symbol.asyncDispose]();
  }

  #startGuest(guest: number): Running {
    const args = ["--guest", `${guest}`, "--forward-mode", "macswap", "-T", "0"];
    const core = ["-l", `${usableCores().at(guest % 2 === 0 ? -1 : 0)}`];
    return this.lab.guest([...args, ...core, "--region", this.lab.region], { netns: this.netns });
  }

  async #assertLinksRestored(): Promise<void> {
    const { lab, netns, pairs } = this;
    assert.equal(await lab.link(this.#madeTap, netns), undefined, "the host's TAP is gone");
    for (const { outer } of pairs) {
      assert.equal((await lab.link(outer, netns))?.promiscuity, 0, `${outer} is as it was`);
    }
  }
}

/** Make the interfaces of a guest's two ports, all up. */
export async function makePair(lab: Lab, netns: string, i: number, mtu: number): Promise<Pair> {
  const pair = { tap: `tap${i}`, inner: `inner${i}`, outer: `outer${i}` };
  const ip = (...args: string[]) => lab.run("ip", "-n", netns, ...args);
  await ip("tuntap", "add", pair.tap, "mode", "tap");
  await ip("link", "add", pair.outer, "type", "veth", "peer", "name", pair.inner);
  for (const link of Object.values(pair)) await ip("link", "set", link, "mtu", `${mtu}`, "up");
  return pair;
}
