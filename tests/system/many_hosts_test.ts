import { deepEqual, equal, match, ok } from "node:assert/strict";
import { type FabricPlan, readFabric } from "../../app/cli/fabric/plan.ts";
import { frrText, interfacesText, joinText } from "../../app/cli/fabric/texts.ts";
import { Lab, type Running, until } from "../kit/lab.ts";

const PAGE = new URL("../../app/vm/MANY_HOSTS.md", import.meta.url);

/** A MAC address that is at one host first, then at another. */
const MOVING = "02:00:00:00:77:01";

/** A workload in a namespace of its own, behind the end of a veth in its host's namespace. */
interface Workload {
  readonly netns: string;
  readonly ip: string;
  /** The end in the host's namespace. */
  readonly outer: string;
  readonly mac: string;
}

/** Hosts as namespaces, whose links meet in a bridge of one more. */
class Fabric implements AsyncDisposable {
  readonly hosts = new Map<string, string>();
  readonly #daemons: Running[] = [];
  readonly #folders: string[] = [];
  #workloads = 0;

  constructor(readonly lab: Lab, readonly plan: FabricPlan) {}

  static async create(lab: Lab): Promise<Fabric> {
    const page = await Deno.readTextFile(PAGE);
    const plan = await readFabric("fabric.toml", /```toml\n([^`]*)```/.exec(page)![1]);
    const fabric = new Fabric(lab, plan);
    const middle = await lab.namespace({ quiet: true });
    await lab.inNamespace(middle, "ip", "link", "add", "between", "type", "bridge");
    await lab.inNamespace(middle, "ip", "link", "set", "between", "up");
    for (const host of plan.host) {
      const netns = await lab.namespace();
      fabric.hosts.set(host.name, netns);
      const peer = ["peer", "name", host.name, "netns", middle];
      await lab.inNamespace(netns, "ip", "link", "add", "out", "type", "veth", ...peer);
      await lab.inNamespace(netns, "ip", "address", "add", `${host.address}/24`, "dev", "out");
      await lab.inNamespace(netns, "ip", "link", "set", "out", "up");
      await lab.inNamespace(middle, "ip", "link", "set", host.name, "master", "between", "up");
      await lab.inNamespace(netns, "sh", "-c", interfacesText(plan, host));
    }
    for (const host of plan.host) await fabric.#route(host.name, frrText(plan, host));
    return fabric;
  }

  netns(host: string): string {
    return this.hosts.get(host)!;
  }

  /** A workload of a host; its `outer` end is up. */
  async workload(host: string, mac?: string): Promise<Workload> {
    const { lab, plan } = this;
    const ip = `10.88.0.${++this.#workloads}`;
    const outer = `w${this.#workloads}`;
    const netns = await lab.namespace();
    const inHost = (...args: string[]) => lab.inNamespace(this.netns(host), "ip", ...args);
    const inside = (...args: string[]) => lab.inNamespace(netns, "ip", ...args);
    const mtu = ["mtu", `${plan.mtu}`];
    const peer = ["peer", "name", "eth0", "netns", netns, ...mtu];
    await inHost("link", "add", outer, ...mtu, "type", "veth", ...peer);
    await inHost("link", "set", outer, "up");
    if (mac !== undefined) await inside("link", "set", "eth0", "address", mac);
    await inside("address", "add", `${ip}/24`, "dev", "eth0");
    await inside("link", "set", "eth0", "up");
    const [{ address }] = JSON.parse((await inside("-json", "link", "show", "eth0")).stdout);
    return { netns, ip, outer, mac: address };
  }

  /** A culvert host and guest between a host's TAP and a workload. */
  async forward(name: string, { outer }: Workload): Promise<{ host: Running; guest: Running }> {
    const { lab, plan } = this;
    const netns = this.netns(name);
    const host = plan.host.find((host) => host.name === name)!;
    const region = lab.newRegion();
    const ports = ["--port", `tap:${host.ports[0]}`, "--port", `packet:${outer}`];
    const args = [...ports, "--mtu", `${plan.mtu}`, "--region", region];
    const running = await lab.startHost(args, { netns });
    const guest = await lab.startGuest(["--no-mac-updating", "-T", "0", "--region", region]);
    await lab.inNamespace(netns, "sh", "-c", joinText(plan, host));
    return { host: running, guest };
  }

  /** At which host's address `host` believes a MAC address to be; undefined if it knows none. */
  async routeTo(host: string, mac: string): Promise<string | undefined> {
    const { stdout } = await this.lab.inNamespace(
      this.netns(host),
      ...["bridge", "fdb", "show", "dev", `vx${this.plan.vni}`],
    );
    const line = stdout.split("\n").find((line) => line.startsWith(mac) && / dst /.test(line));
    return line && / dst (\S+)/.exec(line)![1];
  }

  async pings({ netns }: Workload, { ip }: Workload, ...args: string[]): Promise<boolean> {
    const ping = ["ip", "netns", "exec", netns, "ping", "-c", "1", "-W", "1", ...args, ip];
    return (await this.lab.tryRun(...ping)).code === 0;
  }

  /** Start a host's zebra and bgpd; they read their configuration as user frr. */
  async #route(name: string, config: string): Promise<void> {
    const folder = await Deno.makeTempDir({ prefix: "culvert-frr-" });
    this.#folders.push(folder);
    await Deno.writeTextFile(`${folder}/frr.conf`, `log file ${folder}/log\n${config}\n`);
    await this.lab.run("chown", "-R", "frr:frr", folder);
    const start = async (daemon: string) => {
      const running = this.lab.start(
        ...["ip", "netns", "exec", this.netns(name), `/usr/lib/frr/${daemon}`],
        ...["-f", `${folder}/frr.conf`, "-i", `${folder}/${daemon}.pid`, "-P", "0"],
        ...["-z", `${folder}/zserv`, "--vty_socket", folder],
      );
      this.#daemons.push(running);
      await until(() => Deno.stat(`${folder}/${daemon}.vty`).then(() => true, () => false));
    };
    await start("zebra");
    await start("bgpd");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#daemons.reverse()) await daemon.stop("SIGTERM");
    for (const folder of this.#folders) await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("Guests behind three hosts reach each other by VXLAN and BGP EVPN", async (t) => {
  await using lab = await Lab.open();
  await using fabric = await Fabric.create(lab);
  const [w1, w2, w3] = [
    await fabric.workload("h1"),
    await fabric.workload("h2"),
    await fabric.workload("h3"),
  ];
  const at3 = ["ip", "link", "set", w3.outer, "master", `cv${fabric.plan.vni}`];
  await lab.inNamespace(fabric.netns("h3"), ...at3);
  const first = await fabric.forward("h1", w1);
  const second = await fabric.forward("h2", w2);
  const addressOf = (name: string) => fabric.plan.host.find((host) => host.name === name)!.address;

  await t.step("each pings each, full frames unbroken, and each MAC has its route", async () => {
    for (const [from, to] of [[w1, w2], [w1, w3], [w2, w3]]) {
      await until(() => fabric.pings(from, to));
      ok(await fabric.pings(from, to, "-M", "do", "-s", `${fabric.plan.mtu - 28}`));
      ok(!await fabric.pings(from, to, "-M", "do", "-s", `${fabric.plan.mtu - 27}`));
    }
    await until(async () => await fabric.routeTo("h1", w2.mac) === addressOf("h2"));
    await until(async () => await fabric.routeTo("h1", w3.mac) === addressOf("h3"));
    await until(async () => await fabric.routeTo("h3", w1.mac) === addressOf("h1"));
  });

  await t.step("TCP goes both ways, with the offloads that interfaces have", async () => {
    for (const reverse of [[], ["-R"]]) {
      const server = lab.start(
        "ip",
        "netns",
        "exec",
        w2.netns,
        "iperf3",
        "-s",
        "-1",
        "--forceflush",
      );
      await server.stdoutLine(/listening/);
      const load = ["iperf3", "-c", w2.ip, "-t", "1", "--json", ...reverse];
      const { stdout } = await lab.inNamespace(w1.netns, ...load);
      const bits = JSON.parse(stdout).end.sum_received.bits_per_second;
      console.log(`  ${(bits / 1e6).toFixed(0)} Mb/s${reverse.length ? " back" : ""}`);
      ok(bits > 1e7, `${bits} b/s`);
      equal((await server.ended()).code, 0);
    }
  });

  await t.step("a MAC that moves to another host is followed there", async () => {
    const before = await fabric.workload("h3", MOVING);
    const bridge = ["master", `cv${fabric.plan.vni}`];
    await lab.inNamespace(fabric.netns("h3"), "ip", "link", "set", before.outer, ...bridge);
    await until(() => fabric.pings(before, w1));
    await until(async () => await fabric.routeTo("h1", MOVING) === addressOf("h3"));
    await lab.inNamespace(fabric.netns("h3"), "ip", "link", "delete", before.outer);
    const after = await fabric.workload("h2", MOVING);
    await lab.inNamespace(fabric.netns("h2"), "ip", "link", "set", after.outer, ...bridge);
    await until(() => fabric.pings(after, w1));
    await until(async () => await fabric.routeTo("h1", MOVING) === addressOf("h2"));
  });

  await t.step("a culvert host that is killed takes the routes behind it along", async () => {
    equal(await fabric.routeTo("h1", w2.mac), addressOf("h2"));
    second.host.kill("SIGKILL");
    const start = performance.now();
    await until(async () => await fabric.routeTo("h1", w2.mac) === undefined);
    console.log(`  route gone after ${((performance.now() - start) / 1000).toFixed(2)} s`);
    await second.guest.stop();
    await until(async () => await lab.link("c2", fabric.netns("h2")) === undefined);
  });

  await t.step("a host whose link is cut is given up, and found again", async () => {
    await lab.inNamespace(fabric.netns("h3"), "ip", "link", "set", "out", "down");
    const start = performance.now();
    await until(async () => await fabric.routeTo("h1", w3.mac) === undefined);
    console.log(`  routes gone after ${((performance.now() - start) / 1000).toFixed(1)} s`);
    await lab.inNamespace(fabric.netns("h3"), "ip", "link", "set", "out", "up");
    await until(() => fabric.pings(w1, w3));
  });

  await first.guest.stop();
  await lab.stopHost(first.host);
});

Deno.test("culvert fabric prints each part for each host, and tells what is wrong with its file", async () => {
  await using lab = await Lab.open();
  const file = await Deno.makeTempFile({ suffix: ".toml" });
  const fabric = (...args: string[]) => lab.culvert("fabric", ["--hosts", file, ...args]).ended();
  const hosts = '[[host]]\nname = "a"\naddress = "192.0.2.1"\nports = ["c1"]\n' +
    '[[host]]\nname = "b"\naddress = "192.0.2.2"\n';
  await Deno.writeTextFile(file, hosts);
  const all = await fabric();
  equal(all.code, 0, all.stderr);
  deepEqual(all.stdout.match(/^### \w+/gm), ["a", "a", "a", "a", "b", "b"].map((n) => `### ${n}`));
  const { stdout } = await fabric("--host", "b", "--show", "frr");
  match(stdout, /router-id 192\.0\.2\.2\n[^]*neighbor 192\.0\.2\.1 peer-group hosts/);
  ok(!stdout.includes("neighbor 192.0.2.2"));
  match((await fabric("--host", "c")).stderr, /Cannot show host c as .* has a, b/);
  await Deno.writeTextFile(file, hosts.replaceAll("192.0.2.2", "192.0.2.1; reboot"));
  match((await fabric()).stderr, /:7:1 host\[1\]\.address = "192.0.2.1; reboot": an IPv4 address/);
  await Deno.writeTextFile(file, hosts.replace("c1", "c1; reboot"));
  match((await fabric()).stderr, /:4:10 host\[0\]\.ports\[0\] = "c1; reboot": an interface's name/);
  await Deno.writeTextFile(file, hosts.replaceAll("192.0.2.2", "192.0.2.1"));
  match((await fabric()).stderr, /:1:1 host = .*: each host is wanted once: two have one address/);
  await Deno.remove(file);
});
