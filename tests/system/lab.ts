/**
 * What system tests are made of: network namespaces, `culvert host` and `culvert guest` as
 * processes with the permissions that deno.json gives them, and wires to send frames on.
 *
 * ```ts ignore
 * await using lab = await Lab.open();
 * const { a, b } = await lab.namespacePair();
 * const host = lab.host(["--port", `packet:${a.outer}`, "--port", `packet:${b.outer}`]);
 * await host.stderrLine(/is ready/);
 * const guest = lab.guest(["--no-mac-updating"]);
 * await guest.stderrLine(/forwarding/);
 * await lab.inNamespace(a.netns, "ping", "-c", "1", b.ip4);
 * await guest.stop();
 * assertBalanced(account((await host.stop()).stdout));
 * ```
 *
 * All that a lab makes has a name of its own, so that labs may be open side by side, and is gone
 * when it is disposed of. It needs root, iproute2 and python3.
 *
 * @module
 */
import assert from "node:assert/strict";
import config from "../../deno.json" with { type: "json" };

const ROOT = new URL("../../", import.meta.url).pathname;

/** Milliseconds that anything may take: the machine may be busy with other tests. */
export const PATIENCE_MS = 20_000;

/** Milliseconds that what is about to end of itself may take. */
const GRACE_MS = 1000;

/** How a program ended. */
export interface Ended {
  /** Exit status; 128 + number if a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One end of a cable: an interface in a namespace of its own, the other end here in the root namespace. */
export interface CableEnd {
  /** The network namespace. */
  readonly netns: string;
  /** The interface in it. */
  readonly inner: string;
  /** The other end of the veth, in the namespace where hosts usually run. */
  readonly outer: string;
  readonly ip4: string;
  readonly ip6: string;
  /** The inner interface's MAC address. */
  readonly mac: string;
}

/** How a cable is made. */
export interface CableOptions {
  /** Of both ends, in bytes. */
  readonly mtu?: number;
  /** No addresses and no IPv6 inside either: nothing but a test's own frames is on the wire. */
  readonly quiet?: boolean;
  /** 1 for 10.77.0.1 and fd00:77::1. */
  readonly number?: number;
}

/** A place for one test: see the module's documentation. */
export class Lab implements AsyncDisposable {
  /** The region that hosts and guests of this lab use unless they name another. */
  readonly region: string;
  /** Makes names unique: 7 letters and digits. */
  readonly id: string;

  readonly #processes: Running[] = [];
  readonly #namespaces: string[] = [];
  readonly #links: string[] = [];
  readonly #files: string[] = [];
  #made = 0;

  private constructor() {
    const random = crypto.getRandomValues(new Uint32Array(1))[0];
    this.id = `${(random % 36 ** 4).toString(36).padStart(4, "0")}${
      (Deno.pid % 36 ** 3).toString(36).padStart(3, "0")
    }`;
    this.region = this.newRegion();
  }

  /** A lab, to be disposed of: `await using lab = await Lab.open()`. */
  static open(): Promise<Lab> {
    return Promise.resolve(new Lab());
  }

  /** A name that nobody else uses, fit for interfaces: `prefix` may have 5 letters. */
  name(prefix: string): string {
    return `${prefix}${this.id}${(this.#made++).toString(36)}`;
  }

  /** The name of a region that nobody else uses; its socket is removed in the end. */
  newRegion(): string {
    const name = this.name("test-");
    this.#files.push(`/run/culvert/${name}.sock`);
    return name;
  }

  /** A path in /dev/shm that nobody else uses; the file is removed in the end. */
  newPath(): string {
    const path = `/dev/shm/${this.name("culvert-test-")}`;
    this.#files.push(path);
    return path;
  }

  /** See that the interface `name` of this namespace is gone in the end. */
  removeLink(name: string): void {
    this.#links.push(name);
  }

  /** A network namespace with `lo` up. */
  async namespace({ quiet = false } = {}): Promise<string> {
    const netns = this.name("ns");
    await this.run("ip", "netns", "add", netns);
    this.#namespaces.push(netns);
    await this.inNamespace(netns, "ip", "link", "set", "lo", "up");
    if (quiet) await this.#withoutIpv6("all", netns);
    return netns;
  }

  /** A namespace with a cable out of it, both ends up. */
  async cable({ mtu = 1500, quiet = false, number = 1 }: CableOptions = {}): Promise<CableEnd> {
    const netns = await this.namespace({ quiet });
    const inner = this.name("i");
    const outer = this.name("o");
    await this.#veth(outer, inner, netns, mtu);
    const ip4 = `10.77.0.${number}`;
    const ip6 = `fd00:77::${number}`;
    const ip = (...args: string[]) => this.run("ip", "-n", netns, ...args);
    if (!quiet) {
      await ip("address", "add", `${ip4}/24`, "dev", inner);
      await ip("-6", "address", "add", `${ip6}/64`, "dev", inner, "nodad");
    }
    const { address } = JSON.parse((await ip("-json", "link", "show", inner)).stdout)[0];
    return { netns, inner, outer, ip4, ip6, mac: address };
  }

  /** Two namespaces, each with a cable out of it: what a host is to connect. */
  async namespacePair(options: CableOptions = {}): Promise<{ a: CableEnd; b: CableEnd }> {
    const a = await this.cable({ ...options, number: 1 });
    return { a, b: await this.cable({ ...options, number: 2 }) };
  }

  /** Put a cable back in place whose {@linkcode CableEnd.outer} end was deleted. */
  async remake({ outer, inner, netns }: CableEnd, mtu = 1500): Promise<void> {
    await this.#veth(outer, inner, netns, mtu);
  }

  /** A host between two cables, a guest that forwards frames as they are, wires on both ends. */
  async forwarding(
    pair: { a: CableEnd; b: CableEnd },
    { host: hostArgs = [] as string[], guest: guestArgs = [] as string[] } = {},
  ): Promise<Forwarding> {
    const ports = ["--port", `packet:${pair.a.outer}`, "--port", `packet:${pair.b.outer}`];
    const wires = await this.wires(pair);
    const host = this.host([...ports, ...hostArgs]);
    await host.stderrLine(/is ready/);
    const guest = this.guest(["--no-mac-updating", "-T", "0", ...guestArgs]);
    await guest.stderrLine(/forwarding/);
    return { host, guest, wires };
  }

  /**
   * Wait until a frame gets through both ways. Others may be lost before: something has just
   * happened that interrupts forwarding.
   */
  async flows({ a, b }: { a: Wire; b: Wire }): Promise<void> {
    const frame = testFrame(99, { seed: this.#made++ });
    for (const [from, to] of [[a, b], [b, a]]) {
      const isThere = async () => {
        await from.trySend(frame);
        await pause(20);
        return to.received.includes(frame);
      };
      assert(await waitUntil(isThere), "no frame gets through");
    }
  }

  /** Stop a guest and its host: both must end well, and nothing be lost or left behind. */
  async finish({ host, guest }: Pick<Forwarding, "host" | "guest">): Promise<HostAccount> {
    const guestEnded = await guest.stop();
    assert.equal(guestEnded.code, 0, guestEnded.stderr);
    return await this.finishHost(host);
  }

  /** Stop a host that has no guest: it must end well, and nothing be lost or left behind. */
  async finishHost(host: Running, signal: Deno.Signal = "SIGINT"): Promise<HostAccount> {
    const found = await this.stopHost(host, signal);
    await this.nothingLeft();
    return found;
  }

  /** Stop a host: it must end well, and nothing be lost. Its server stays for guests that stay. */
  async stopHost(host: Running, signal: Deno.Signal = "SIGINT"): Promise<HostAccount> {
    const { code, stdout, stderr } = await host.stop(signal);
    assert.equal(code, 0, stderr);
    const found = account(stdout);
    assertBalanced(found);
    return found;
  }

  /** Start `culvert host` with the permissions of `deno task host`, in the lab's region unless told. */
  host(args: string[], options: { netns?: string } = {}): Running {
    return this.culvert("host", this.#withRegion(args), options);
  }

  /** Start `culvert guest` with the permissions of `deno task guest`, in the lab's region unless told. */
  guest(args: string[] = [], options: { netns?: string } = {}): Running {
    return this.culvert("guest", this.#withRegion(args), options);
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

  /** Start any program; it ends with the lab at the latest. */
  start(...command: string[]): Running {
    const running = new Running(command);
    this.#processes.push(running);
    return running;
  }

  /** Run a program to its end. */
  run(...command: string[]): Promise<Ended> {
    return this.tryRun(...command).then((ended) => {
      const said = `${command.join(" ")} ended with ${ended.code}: ${ended.stderr}${ended.stdout}`;
      assert.equal(ended.code, 0, said);
      return ended;
    });
  }

  /** Run a program to its end, however it ends. */
  tryRun(...command: string[]): Promise<Ended> {
    return this.start(...command).ended(3 * PATIENCE_MS);
  }

  /** Run a program in a network namespace to its end. */
  inNamespace(netns: string, ...command: string[]): Promise<Ended> {
    return this.run("ip", "netns", "exec", netns, ...command);
  }

  /** A wire on an interface, in a namespace unless it is of this one. */
  async wire(link: string, netns?: string): Promise<Wire> {
    const enter = netns ? ["ip", "netns", "exec", netns] : [];
    const python = ["/usr/bin/python3", `${ROOT}tests/system/wire.py`, link];
    const running = this.start(...enter, ...python);
    await running.stdoutLine(/^READY/);
    return new Wire(running);
  }

  /** Wires on both inner ends of a pair of cables. */
  async wires({ a, b }: { a: CableEnd; b: CableEnd }): Promise<{ a: Wire; b: Wire }> {
    return { a: await this.wire(a.inner, a.netns), b: await this.wire(b.inner, b.netns) };
  }

  /** What the kernel says of an interface; undefined if there is none. */
  async link(name: string, netns?: string): Promise<LinkDetails | undefined> {
    const enter = netns ? ["-n", netns] : [];
    const ended = await this.tryRun("ip", ...enter, "-details", "-json", "link", "show", name);
    return ended.code === 0 ? JSON.parse(ended.stdout)[0] : undefined;
  }

  /** Wait until no region of this lab has a socket or a file: its server ends soon after its host. */
  async nothingLeft(): Promise<void> {
    await waitUntil(() => this.leftovers().length === 0);
    assert.deepEqual(this.leftovers(), []);
  }

  /** Regions of this lab that still have a socket or a file. */
  leftovers(): string[] {
    return this.#files.filter(exists);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#processes) running.kill("SIGKILL");
    await Promise.all(this.#processes.map((running) => running.ended(PATIENCE_MS).catch(() => {})));
    for (const link of this.#links) await this.tryRun("ip", "link", "delete", link);
    for (const netns of this.#namespaces) await this.tryRun("ip", "netns", "delete", netns);
    // A region's server ends by itself, and takes its socket with it, once its host is gone.
    const isClean = await waitUntil(() => this.leftovers().length === 0, GRACE_MS);
    if (!isClean) { for (const file of this.leftovers()) Deno.removeSync(file); }
  }

  async #veth(outer: string, inner: string, netns: string, mtu: number): Promise<void> {
    const peer = ["peer", "name", inner, "netns", netns, "mtu", `${mtu}`];
    await this.run("ip", "link", "add", outer, "mtu", `${mtu}`, "type", "veth", ...peer);
    if (!this.#links.includes(outer)) this.#links.push(outer);
    await this.#withoutIpv6(outer);
    await this.run("ip", "link", "set", outer, "up");
    await this.run("ip", "-n", netns, "link", "set", inner, "up");
  }

  async #withoutIpv6(link: string, netns?: string): Promise<void> {
    const command = ["sysctl", "-qw", `net.ipv6.conf.${link}.disable_ipv6=1`];
    await (netns ? this.inNamespace(netns, ...command) : this.run(...command));
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

/** Some of what `ip -details -json link` tells. */
export interface LinkDetails {
  readonly ifindex: number;
  readonly flags: string[];
  readonly mtu: number;
  readonly promiscuity: number;
  readonly address: string;
}

/** A program that was started. */
export class Running {
  readonly #child: Deno.ChildProcess;
  readonly #output = { stdout: new Output(), stderr: new Output() };
  readonly #ended: Promise<Ended>;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  #isOver = false;

  constructor(private readonly command: readonly string[]) {
    const [program, ...args] = command;
    const all = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
    this.#child = new Deno.Command(program, { args, cwd: ROOT, ...all }).spawn();
    this.#stdin = this.#child.stdin.getWriter();
    this.#ended = this.#follow();
  }

  /** Its process id: also of a program in a namespace, as `ip netns exec` becomes that program. */
  get pid(): number {
    return this.#child.pid;
  }

  /** What it has said until now. */
  get stdout(): string {
    return this.#output.stdout.text;
  }

  /** What it has complained of until now. */
  get stderr(): string {
    return this.#output.stderr.text;
  }

  /**
   * Wait for a line in stderr. Each call goes on behind the line that the last one found, so that
   * the same words may be awaited twice.
   *
   * @throws {AssertionError} if it does not come in time, or the program ends before.
   */
  stderrLine(wanted: RegExp, patience = PATIENCE_MS): Promise<string> {
    return this.#line("stderr", wanted, patience);
  }

  /** Wait for a line in stdout, as {@linkcode stderrLine} does. */
  stdoutLine(wanted: RegExp, patience = PATIENCE_MS): Promise<string> {
    return this.#line("stdout", wanted, patience);
  }

  /** Give it a line to read. */
  async write(line: string): Promise<void> {
    await this.#stdin.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Send it a signal, unless it has ended. */
  kill(signal: Deno.Signal): void {
    if (!this.#isOver) this.#child.kill(signal);
  }

  /** Stop it from running until SIGCONT. */
  async freeze(): Promise<void> {
    this.kill("SIGSTOP");
    const isFrozen = () => / T /.test(Deno.readTextFileSync(`/proc/${this.pid}/stat`));
    assert(await waitUntil(isFrozen), `process ${this.pid} does not stop`);
  }

  /** Wait for its end; it is killed if that takes too long. */
  async ended(patience = PATIENCE_MS): Promise<Ended> {
    const timer = setTimeout(() => this.kill("SIGKILL"), patience);
    try {
      return await this.#ended;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Send it a signal and wait for its end; it is killed if that takes too long (status 137). */
  async stop(signal: Deno.Signal = "SIGINT"): Promise<Ended> {
    this.kill(signal);
    return await this.ended();
  }

  async #follow(): Promise<Ended> {
    const { stdout, stderr } = this.#output;
    const streams = [stdout.read(this.#child.stdout), stderr.read(this.#child.stderr)];
    const { code } = await this.#child.status;
    this.#isOver = true;
    await Promise.all([...streams, this.#stdin.close().catch(() => {})]);
    return { code, stdout: stdout.text, stderr: stderr.text };
  }

  async #line(stream: "stdout" | "stderr", wanted: RegExp, patience: number): Promise<string> {
    const output = this.#output[stream];
    const start = performance.now();
    for (;;) {
      const isLast = output.isClosed;
      const line = output.find(wanted);
      if (line !== undefined) return line;
      if (isLast || performance.now() - start > patience) {
        assert.fail(
          `${this.command.slice(0, 3).join(" ")} ... ${isLast ? "ended" : "ran"} without ` +
            `${wanted} in ${stream}:\n${this.stderr}\n${this.stdout.slice(-4000)}`,
        );
      }
      await pause(10);
    }
  }
}

/** What comes out of a program. */
class Output {
  text = "";
  isClosed = false;
  #found = 0;

  async read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.text += decoder.decode(chunk, { stream: true });
    this.isClosed = true;
  }

  /** The next whole line that matches. */
  find(wanted: RegExp): string | undefined {
    for (let from = this.#found;;) {
      const end = this.text.indexOf("\n", from);
      if (end < 0) return undefined;
      const line = this.text.slice(from, end);
      from = end + 1;
      if (!wanted.test(line)) continue;
      this.#found = from;
      return line;
    }
  }
}

/** An interface to send frames on and to watch. */
export class Wire {
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly running: Running) {}

  /**
   * Put a frame, in hexadecimal, on the wire.
   *
   * @throws {AssertionError} if the kernel refuses it.
   */
  async send(frame: string, count = 1): Promise<void> {
    assert.equal(await this.trySend(frame, count), count, this.running.stdout.slice(-200));
  }

  /** Put a frame on the wire as far as the kernel takes it: the interface may be down. */
  trySend(frame: string, count = 1): Promise<number> {
    const answer = this.#last.then(async () => {
      await this.running.write(`${count} ${frame}`);
      return Number((await this.running.stdoutLine(/^S /)).slice(2));
    });
    this.#last = answer.catch(() => {});
    return answer;
  }

  /** Keep sending a frame until the result is disposed of. */
  traffic(frame: string): AsyncDisposable {
    let goesOn = true;
    const done = (async () => {
      while (goesOn) await this.trySend(frame, 100);
    })();
    return {
      async [Symbol.asyncDispose]() {
        goesOn = false;
        await done;
      },
    };
  }

  /** The frames that have arrived, in hexadecimal, with their VLAN tags. */
  get received(): string[] {
    return [...this.running.stdout.matchAll(/^R (.*)$/gm)].map(([, frame]) => frame);
  }

  /** Wait until `count` frames have arrived that `isWanted`; returns all those. */
  async arrived(
    isWanted: (frame: string) => boolean,
    count = 1,
    patience = PATIENCE_MS,
  ): Promise<string[]> {
    let found: string[] = [];
    const isThere = () => (found = this.received.filter(isWanted)).length >= count;
    const isDone = await waitUntil(isThere, patience);
    assert(isDone, `${found.length} frames arrived where ${count} were sent`);
    return found;
  }
}

/** The EtherType of frames made by tests: for local experiments (IEEE 802). */
export const TEST_TYPE = "88b5";

/** A frame of so many bytes in hexadecimal: two addresses, tags, test EtherType, bytes that count up. */
export function testFrame(bytes: number, { tags = "", seed = 0 } = {}): string {
  const head = `02aaaaaaaaaa02bbbbbbbbbb${tags}${TEST_TYPE}`;
  const length = Math.max(0, bytes - head.length / 2);
  const payload = Uint8Array.from({ length }, (_, i) => i * 7 + seed + (i >>> 8));
  return head.slice(0, bytes * 2) + payload.toHex();
}

/** The host's summary in numbers. */
export interface HostAccount {
  readonly received: number;
  readonly originated: number;
  readonly forwarded: number;
  /** Frames by reason. */
  readonly dropped: ReadonlyMap<string, number>;
  readonly mbufsFree: number;
  readonly mbufsTotal: number;
}

/** Read the summary that a host prints in the end. */
export function account(stdout: string): HostAccount {
  const head =
    /^received (\d+)(?: \+ originated by the guest (\d+))? = forwarded (\d+) \+ dropped (\d+)$/m
      .exec(stdout);
  assert(head, `no summary in: ${stdout}`);
  const mbufs = /^mbufs: (\d+) of (\d+) free$/m.exec(stdout);
  assert(mbufs, `no mbufs in: ${stdout}`);
  const dropped = new Map(
    [...stdout.matchAll(/^ {2}dropped (\d+): (.*)$/gm)].map(([, n, why]) => [why, Number(n)]),
  );
  assert.equal([...dropped.values()].reduce((sum, n) => sum + n, 0), Number(head[4]), stdout);
  return {
    received: Number(head[1]),
    originated: Number(head[2] ?? 0),
    forwarded: Number(head[3]),
    dropped,
    mbufsFree: Number(mbufs[1]),
    mbufsTotal: Number(mbufs[2]),
  };
}

/** No frame and no mbuf is lost without a reason. */
export function assertBalanced(found: HostAccount): void {
  const { received, originated, forwarded, dropped, mbufsFree, mbufsTotal } = found;
  const drops = [...dropped.values()].reduce((sum, n) => sum + n, 0);
  const told = JSON.stringify({ ...found, dropped: [...dropped] });
  assert.equal(received + originated, forwarded + drops, told);
  assert.equal(mbufsFree, mbufsTotal, told);
}

/** Wait until a condition holds; false if it takes too long. */
export async function waitUntil(
  isTrue: () => boolean | Promise<boolean>,
  patience = PATIENCE_MS,
): Promise<boolean> {
  for (const start = performance.now(); !await isTrue(); await pause(20)) {
    if (performance.now() - start > patience) return false;
  }
  return true;
}

/** Wait. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Whether a path is there. */
export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
