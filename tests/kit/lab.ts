/**
 * Network namespaces, `culvert host` and `culvert guest` as processes with the permissions that
 * deno.json gives them, and wires to send frames on.
 *
 * ```ts ignore
 * await using lab = await Lab.open();
 * const { a, b } = await lab.namespacePair();
 * const host = await lab.startHost(packetPorts(a, b));
 * const guest = await lab.startGuest(["--no-mac-updating"]);
 * await lab.inNamespace(a.netns, "ping", "-c", "1", b.ip4);
 * await guest.stop();
 * assertBalanced(account((await host.stop()).stdout));
 * ```
 *
 * Names are unique, so that several labs can be open at once. Disposing of a lab removes all that
 * it made. It needs root, iproute2 and python3.
 *
 * @module
 */
import assert from "node:assert/strict";
import config from "../../deno.json" with { type: "json" };
import { account, assertBalanced, type HostAccount } from "./host_account.ts";
import { type CableEnd, Network, packetPorts } from "./network.ts";
import type { Running } from "./running.ts";
import { exists } from "./processes.ts";
import { pause, waitUntil } from "./wait.ts";
import { testFrame, type Wire } from "./wire.ts";

export { account, assertBalanced, type HostAccount } from "./host_account.ts";
export { type CableEnd, type LinkDetails, packetPorts, xdpPorts } from "./network.ts";
export { type Ended, Running } from "./running.ts";
export { exists } from "./processes.ts";
export { BOOT_MS, PATIENCE_MS, pause, until, waitUntil } from "./wait.ts";
export { assertArrive, TEST_TYPE, testFrame, Wire } from "./wire.ts";

/** Milliseconds that what is about to end of itself may take. */
const GRACE_MS = 1000;

/** What one test starts and makes: see the module's documentation. */
export class Lab extends Network {
  /** The region that hosts and guests of this lab use unless they name another. */
  readonly region: string;
  readonly #files: string[] = [];
  /** What hosts leave that are killed, and the next host of the path removes. */
  readonly #captures: string[] = [];
  #flows = 0;

  private constructor() {
    super();
    this.region = this.newRegion();
  }

  /** A lab, to be disposed of: `await using lab = await Lab.open()`. */
  static open(): Promise<Lab> {
    return Promise.resolve(new Lab());
  }

  /** A new region's name. Its socket and lock are removed in the end. */
  newRegion(): string {
    const name = this.name("test-");
    const suffixes = ["sock", "lock", "capture"];
    this.#files.push(...suffixes.map((suffix) => `/run/culvert/${name}.${suffix}`));
    return name;
  }

  /** A new path in /dev/shm. The file is removed in the end. */
  newPath(): string {
    const path = `/dev/shm/${this.name("culvert-test-")}`;
    this.#files.push(path);
    this.#captures.push(`/run/culvert/${encodeURIComponent(path)}.capture`);
    return path;
  }

  /**
   * A host between two cables, a guest that forwards frames unchanged, a wire on each far end.
   *
   * @param ports The host's; packet ports if left out.
   */
  async forwarding(
    pair: { a: CableEnd; b: CableEnd },
    {
      ports = packetPorts(pair.a, pair.b),
      host: hostArgs = [] as string[],
      guest: guestArgs = [] as string[],
    } = {},
  ): Promise<Forwarding> {
    const wires = await this.wires(pair);
    const host = await this.startHost([...ports, ...hostArgs]);
    const guest = await this.startGuest(["--no-mac-updating", "-T", "0", ...guestArgs]);
    return { host, guest, wires };
  }

  /**
   * Wait until a frame gets through each way. Frames before it may be lost, as the test has just
   * interrupted forwarding.
   */
  async flows({ a, b }: { a: Wire; b: Wire }): Promise<void> {
    const frame = testFrame(99, { seed: this.#flows++ });
    for (const [from, to] of [[a, b], [b, a]]) {
      const isThere = async () => {
        await from.trySend(frame);
        await pause(20);
        return to.received.includes(frame);
      };
      assert(await waitUntil(isThere), "no frame gets through");
    }
  }

  /** Set an interface down and up again, and again, while frames come by both wires. */
  async flap(name: string, { a, b }: { a: Wire; b: Wire }): Promise<void> {
    await using _there = a.traffic(testFrame(60));
    await using _back = b.traffic(testFrame(1514));
    for (let i = 0; i < 8; i++) {
      await this.run("ip", "link", "set", name, "down");
      await this.run("ip", "link", "set", name, "up");
    }
  }

  /** Stop a guest and its host: both must end with status 0, with nothing lost or left behind. */
  async finish({ host, guest }: Pick<Forwarding, "host" | "guest">): Promise<HostAccount> {
    const guestEnded = await guest.stop();
    assert.equal(guestEnded.code, 0, guestEnded.stderr);
    return await this.finishHost(host);
  }

  /** Stop a host without guests: it must end with status 0, with nothing lost or left behind. */
  async finishHost(host: Running, signal: Deno.Signal = "SIGINT"): Promise<HostAccount> {
    const found = await this.stopHost(host, signal);
    await this.nothingLeft();
    return found;
  }

  /** Stop a host: it must end with status 0, with nothing lost. A server stays for its guests. */
  async stopHost(host: Running, signal: Deno.Signal = "SIGINT"): Promise<HostAccount> {
    const { code, stdout, stderr } = await host.stop(signal);
    assert.equal(code, 0, stderr);
    const found = account(stdout);
    assertBalanced(found);
    return found;
  }

  /** Start `culvert host` like `deno task host`, in the lab's region unless `args` name one. */
  host(args: string[], options: { netns?: string } = {}): Running {
    return this.culvert("host", this.#withRegion(args), options);
  }

  /** Start `culvert guest` like `deno task guest`, in the lab's region unless `args` name one. */
  guest(args: string[] = [], options: { netns?: string } = {}): Running {
    return this.culvert("guest", this.#withRegion(args), options);
  }

  /** Start a host and wait until guests can attach. */
  async startHost(args: string[], options: { netns?: string } = {}): Promise<Running> {
    const host = this.host(args, options);
    await host.stderrLine(/is ready/);
    return host;
  }

  /** Start a guest and wait until it forwards. */
  async startGuest(args: string[] = [], options: { netns?: string } = {}): Promise<Running> {
    const guest = this.guest(args, options);
    await guest.stderrLine(/forwarding/);
    return guest;
  }

  /**
   * Start `culvert` with the permissions of a task.
   *
   * @param under A command that runs the command behind it, such as `setpriv`.
   */
  culvert(
    task: keyof typeof config.tasks,
    args: string[],
    { netns = "", under = [] as string[] } = {},
  ): Running {
    const [, ...deno] = config.tasks[task].command.split(" ");
    const enter = netns ? ["ip", "netns", "exec", netns] : [];
    return this.start(...enter, ...under, Deno.execPath(), ...deno, ...args);
  }

  /** Wait until no region of this lab has a socket or a file: servers end soon after hosts. */
  async nothingLeft(): Promise<void> {
    await waitUntil(() => this.leftovers().length === 0);
    assert.deepEqual(this.leftovers(), []);
  }

  /** Regions of this lab that still have a socket or a file. */
  leftovers(): string[] {
    return this.#files.filter(exists);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    // A region's server ends by itself once its host is gone, and removes its socket. What killed
    // programs left is removed here.
    await waitUntil(() => !this.#isListenedAt(), GRACE_MS);
    for (const file of [...this.leftovers(), ...this.#captures.filter(exists)]) {
      await Deno.remove(file).catch((error) => { // a host's keeper may remove it at the same time
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    }
  }

  /** Whether a server still listens at a socket of this lab. */
  #isListenedAt(): boolean {
    const sockets = Deno.readTextFileSync("/proc/net/unix");
    return this.#files.some((file) => sockets.includes(` ${file}\n`));
  }

  #withRegion(args: string[]): string[] {
    return args.includes("--region") ? args : [...args, "--region", this.region];
  }
}

/** A host and a guest at work, and what is on both sides of them. */
export interface Forwarding {
  readonly host: Running;
  readonly guest: Running;
  readonly wires: { a: Wire; b: Wire };
}
