import type { Burst, Context, FrameFunction, OptionsSchema } from "culvert-net/function";
import { arp, endpoint, ipv4, parseIpv4, plainOptions } from "culvert-net/function";

/** `--set address=203.0.113.1`: packets from port 0 leave by port 1 with it as source. */
export const options: OptionsSchema = plainOptions({ address: "203.0.113.1", udp: 300 });

/** An address and port (of an echo: identifier) inside, its port outside, milliseconds. */
type Flow = { protocol: number; ip: number; port: number; outer: number; seen: number };
const inner = new Map<number, Flow>(), outer = new Map<number, Flow>();
const keyOf = (protocol: number, port: number, ip = 0) => (ip * 65_536 + port) * 32 + protocol;
function add(flow: Flow): void {
  inner.set(keyOf(flow.protocol, flow.port, flow.ip), flow);
  outer.set(keyOf(flow.protocol, flow.outer), flow);
}
/** The next version of this file goes on with the flows. */
export const save = (): Flow[] => [...inner.values()];
/** See `save()`: called after `setup()`. */
export const restore = (saved: Flow[]): void => saved.forEach(add);

/** NAPT (RFC 3022) in front of a router that has the address. The guest has one lcore. */
export function setup(context: Context<{ address: string; udp: number }>): FrameFunction {
  const address = parseIpv4(context.options.address);
  // Seconds after which a silent flow of ICMP, TCP and UDP ends (RFC 5508, 5382, 4787).
  const timeouts: Record<number, number> = { 1: 60, 6: 7440, 17: context.options.udp };
  let next = 0;
  for (const flows of [inner, outer]) flows.clear();
  context.every(1000, () => {
    for (const [key, { protocol, outer: port, seen }] of inner) {
      if (context.now - seen < timeouts[protocol] * 1000) continue;
      inner.delete(key);
      outer.delete(keyOf(protocol, port));
    }
  });
  /** Translate the inner end of the packet, or of what an ICMP error quotes; false if unknown. */
  const translate = (burst: Burst, i: number, at: number, isOut: boolean): boolean => {
    const header = endpoint.headerAt(burst, i, at);
    if (header < 0) return false;
    const protocol = ipv4.protocol(burst, i, header);
    const ip = endpoint.address(burst, i, at, header, isOut);
    const port = endpoint.port(burst, i, at, header, isOut);
    const key = keyOf(protocol, port, isOut ? ip : 0);
    if (isOut && header === at && !inner.has(key) && outer.size < 32_768) {
      while (outer.has(keyOf(protocol, 1024 + next % 64_512))) next++;
      add({ protocol, ip, port, outer: 1024 + next++ % 64_512, seen: 0 });
    }
    const flow = (isOut ? inner : outer).get(key);
    if (flow === undefined || (!isOut && ip !== address)) return false;
    flow.seen = context.now;
    endpoint.set(burst, i, at, isOut, isOut ? address : flow.ip, isOut ? flow.outer : flow.port);
    return true;
  };
  return (burst) => {
    for (let i = 0; i < burst.count; i++) {
      const at = ipv4.at(burst, i);
      const isKept = at < 0 ? arp.at(burst, i) >= 0 : translate(burst, i, at, burst.port === 0);
      if (!isKept) burst.drop(i);
    }
  };
}
