import type { Burst, Context, FrameFunction, OptionsSchema } from "culvert-net/function";
import { arp, ipv4, parseIpv4Prefix, plainOptions, PROTOCOL, udp } from "culvert-net/function";

/** `--set 'rules=deny tcp from any to 10.0.0.0/8:1-1023, allow ip from any to any'`. */
export const options: OptionsSchema = plainOptions({ rules: "allow ip from any to any" });

const END = "(\\S+?)(?::(\\d+)(?:-(\\d+))?)?";
const RULE = new RegExp(`^(allow|deny) (ip|icmp|tcp|udp) from ${END} to ${END}$`);
const PROTOCOLS: Record<string, number> = { ip: -1, icmp: 1, tcp: 6, udp: 17 };

/** One end of a rule. -1 is the port of packets that have none. */
function parseEnd(prefix: string, first = "-1", last = first === "-1" ? "65535" : first) {
  if (Number(first) > Number(last) || Number(last) > 65_535) {
    throw new RangeError(`Cannot use ports ${first} to ${last}: write 80, or 1024-65535`);
  }
  return { ...parseIpv4Prefix(prefix), first: Number(first), last: Number(last) };
}

function parseRule(text: string) {
  const [, what, protocol, ip, first, last, ...to] = RULE.exec(text) ?? [];
  if (what === undefined || (/ip|icmp/.test(protocol) && (first ?? to[1]) !== undefined)) {
    throw new TypeError(`Cannot use rule "${text}": write allow tcp from any to 10.0.0.0/8:22`);
  }
  const ends = { from: parseEnd(ip, first, last), to: parseEnd(to[0], to[1], to[2]) };
  return { isAllowed: what === "allow", protocol: PROTOCOLS[protocol], ...ends };
}

/** Access list: the first rule that fits an IPv4 packet decides. Without one only ARP passes. */
export function setup({ options }: Context<{ rules: string }>): FrameFunction {
  const rules = options.rules.split(",").map((text) => parseRule(text.trim()));
  const isAllowed = (burst: Burst, i: number): boolean => {
    const at = ipv4.at(burst, i);
    if (at < 0) return arp.at(burst, i) >= 0;
    const protocol = ipv4.protocol(burst, i, at), transport = ipv4.transport(burst, i, at);
    const source = ipv4.source(burst, i, at), destination = ipv4.destination(burst, i, at);
    const hasPorts = transport === PROTOCOL.TCP || transport === PROTOCOL.UDP;
    const fromPort = hasPorts ? udp.source(burst, i, ipv4.payload(burst, i, at)) : -1;
    const toPort = hasPorts ? udp.destination(burst, i, ipv4.payload(burst, i, at)) : -1;
    for (const { protocol: wanted, from, to, isAllowed } of rules) {
      if (wanted >= 0 && wanted !== protocol) continue;
      if ((source & from.mask) >>> 0 !== from.address) continue;
      if ((destination & to.mask) >>> 0 !== to.address) continue;
      // The ports of a later fragment are not known: they might be those that are denied.
      if (transport < 0 && !isAllowed) return false;
      if (fromPort < from.first || fromPort > from.last) continue;
      if (toPort >= to.first && toPort <= to.last) return isAllowed;
    }
    return false;
  };
  return (burst) => {
    for (let i = 0; i < burst.count; i++) if (!isAllowed(burst, i)) burst.drop(i);
  };
}
