import { fileURLToPath } from "node:url";
import { Programs } from "./programs.ts";
import { Wire } from "./wire.ts";

const WIRE = fileURLToPath(new URL("./wire.py", import.meta.url));

/** A veth whose inner end is in a namespace of its own, and whose outer end is in this one. */
export interface CableEnd {
  /** The network namespace. */
  readonly netns: string;
  /** The interface in it. */
  readonly inner: string;
  /** The other end of the veth, in this namespace, where hosts usually run. */
  readonly outer: string;
  readonly ip4: string;
  readonly ip6: string;
  /** The inner interface's MAC address. */
  readonly mac: string;
}

/** How a cable is made. */
interface CableOptions {
  /** Of both ends, in bytes. */
  readonly mtu?: number;
  /** No addresses, and no IPv6: the kernel sends no frames of its own. */
  readonly quiet?: boolean;
  /** 1 for 10.77.0.1 and fd00:77::1. */
  readonly number?: number;
}

/** Some of what `ip -details -json link` tells. */
export interface LinkDetails {
  readonly ifindex: number;
  readonly flags: string[];
  readonly mtu: number;
  readonly promiscuity: number;
  readonly address: string;
}

/** Options of a host: a packet port at the outer end of each cable. */
export function packetPorts(...cables: Pick<CableEnd, "outer">[]): string[] {
  return cables.flatMap(({ outer }) => ["--port", `packet:${outer}`]);
}

/** The same with ports by AF_XDP; `mode` is what stands behind the name: `,generic`. */
export function xdpPorts(cables: readonly Pick<CableEnd, "outer">[], mode = ""): string[] {
  return cables.flatMap(({ outer }) => ["--port", `xdp:${outer}${mode}`]);
}

/** Network namespaces of one test with cables to them. Disposing of it removes them. */
export class Network extends Programs {
  readonly #namespaces: string[] = [];
  readonly #links: string[] = [];

  /** Remove the interface `name` of this namespace in the end. */
  removeLink(name: string): void {
    this.#links.push(name);
  }

  /** A bridge that is down, and sends no frame of its own. */
  async bridge(): Promise<string> {
    const bridge = this.name("br");
    await this.run("ip", "link", "add", bridge, "type", "bridge", "mcast_snooping", "0");
    this.removeLink(bridge);
    await this.#withoutIpv6(bridge);
    return bridge;
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

  /** Two namespaces, each with a cable, for a host to connect. */
  async namespacePair(options: CableOptions = {}): Promise<{ a: CableEnd; b: CableEnd }> {
    const a = await this.cable({ ...options, number: 1 });
    return { a, b: await this.cable({ ...options, number: 2 }) };
  }

  /** Make a cable again whose outer end was deleted. */
  async remake({ outer, inner, netns }: CableEnd, mtu = 1500): Promise<void> {
    await this.#veth(outer, inner, netns, mtu);
  }

  /** A wire on an interface of this namespace, or of `netns`. */
  async wire(link: string, netns?: string): Promise<Wire> {
    const enter = netns ? ["ip", "netns", "exec", netns] : [];
    const python = ["/usr/bin/python3", WIRE, link];
    const running = this.start(...enter, ...python);
    await running.stdoutLine(/^READY/);
    return new Wire(running);
  }

  /** Wires on both inner ends of a pair of cables. */
  async wires({ a, b }: { a: CableEnd; b: CableEnd }): Promise<{ a: Wire; b: Wire }> {
    return { a: await this.wire(a.inner, a.netns), b: await this.wire(b.inner, b.netns) };
  }

  /** What the kernel says of an interface; undefined if there is none of that name. */
  async link(name: string, netns?: string): Promise<LinkDetails | undefined> {
    const enter = netns ? ["-n", netns] : [];
    const ended = await this.tryRun("ip", ...enter, "-details", "-json", "link", "show", name);
    return ended.code === 0 ? JSON.parse(ended.stdout)[0] : undefined;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    for (const link of this.#links) await this.tryRun("ip", "link", "delete", link);
    for (const netns of this.#namespaces) await this.tryRun("ip", "netns", "delete", netns);
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
}
