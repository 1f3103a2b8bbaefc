import type { Context, FrameFunction, Ipv4Rule, OptionsSchema } from "culvert-net/function";
import { arp, Ipv4Rules, parseIpv4Prefix, plainOptions } from "culvert-net/function";

/** `--set 'rules=deny tcp from any to 10.0.0.0/8:1-1023, allow ip from any to any'`. */
export const options: OptionsSchema = plainOptions({ rules: "allow ip from any to any" });

const END = "(\\S+?)(?::(\\d+)(?:-(\\d+))?)?";
const RULE = new RegExp(`^(allow|deny) (ip|icmp|tcp|udp) from ${END} to ${END}$`);
const PROTOCOLS: Record<string, number | undefined> = { icmp: 1, tcp: 6, udp: 17 };

function parsePorts(first?: string, last = first): [number, number] | undefined {
  if (first === undefined) return undefined;
  const ports: [number, number] = [Number(first), Number(last)];
  if (ports[0] <= ports[1] && ports[1] <= 65_535) return ports;
  throw new RangeError(`Cannot use ports ${first} to ${last}: write 80, or 1024-65535`);
}

function parseRule(text: string): Ipv4Rule & { isAllowed: boolean } {
  const [, what, protocol, from, ...rest] = RULE.exec(text) ?? [];
  const [fromFirst, fromLast, to, toFirst, toLast] = rest;
  if (what === undefined || (/ip|icmp/.test(protocol) && (fromFirst ?? toFirst) !== undefined)) {
    throw new TypeError(`Cannot use rule "${text}": write allow tcp from any to 10.0.0.0/8:22`);
  }
  return {
    isAllowed: what === "allow",
    protocol: PROTOCOLS[protocol],
    source: parseIpv4Prefix(from),
    destination: parseIpv4Prefix(to),
    sourcePorts: parsePorts(fromFirst, fromLast),
    destinationPorts: parsePorts(toFirst, toLast),
    orUnseenPorts: what === "deny", // they might be those that are denied
  };
}

/** Access list: the first rule that fits an IPv4 packet decides. Without one only ARP passes. */
export function setup({ options }: Context<{ rules: string }>): FrameFunction {
  const parsed = options.rules.split(",").map((text) => parseRule(text.trim()));
  const rules = new Ipv4Rules(parsed);
  const allowed = parsed.map(({ isAllowed }) => isAllowed);
  return (burst) => {
    const found = rules.firstOfEach(burst);
    for (let i = 0; i < burst.count; i++) {
      const rule = found[i];
      const isArp = rule === Ipv4Rules.NO_PACKET && arp.at(burst, i) >= 0;
      if (rule < 0 ? !isArp : !allowed[rule]) burst.drop(i);
    }
  };
}
