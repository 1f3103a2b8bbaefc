import type { Burst, Context, FrameFunction, OptionsSchema } from "culvert-net/function";
import { endpoint, ethernet, ICMP, icmp, ipv4, parseIpv4 } from "culvert-net/function";
import { parseIpv4Prefix, plainOptions, PROTOCOL } from "culvert-net/function";

/** `--set 'routes=10.1.0.0/16 0 02:00:00:00:00:01, any 1 02:00:00:00:00:02'`: port, next hop. */
export const options: OptionsSchema = plainOptions({ routes: "", address: "192.0.2.254" });

function parseRoute(text: string) {
  const [, prefix, port, mac] = /^(\S+) (\d+) ((?:[\da-f]{2}:){5}[\da-f]{2})$/i.exec(text) ?? [];
  if (mac === undefined) throw new TypeError(`Cannot use route "${text}": see options`);
  const nextHop = Uint8Array.from(mac.split(":"), (byte) => parseInt(byte, 16));
  return { ...parseIpv4Prefix(prefix), port: Number(port), nextHop };
}

/** Routes IPv4 by the longest prefix; tells the sender if a packet runs out of hops (ICMP). */
export function setup({ options, ports }: Context<Record<string, string>>): FrameFunction {
  const address = parseIpv4(options.address);
  const routes = options.routes.split(",").map((text) => parseRoute(text.trim()));
  routes.sort((a, b) => b.bits - a.bits);
  const missing = routes.find(({ port }) => ports[port] === undefined);
  if (missing) throw new RangeError(`Cannot route to port ${missing.port}: there is none`);
  const forward = (burst: Burst, i: number, at: number): boolean => {
    const destination = ipv4.destination(burst, i, at), ttl = ipv4.ttl(burst, i, at);
    if (ttl <= 1) return tellExceeded(burst, i, at, address);
    for (const { address, mask, port, nextHop } of routes) {
      if ((destination & mask) >>> 0 !== address) continue;
      ipv4.setTtl(burst, i, at, ttl - 1);
      ethernet.setDestination(burst, i, nextHop);
      ethernet.setSource(burst, i, ports[port].mac);
      burst.sendTo(i, port);
      return true;
    }
    return false;
  };
  return (burst) => {
    for (let i = 0; i < burst.count; i++) {
      const at = ipv4.at(burst, i);
      if (at < 0 || !forward(burst, i, at)) burst.drop(i);
    }
  };
}

/** Make ICMP "time exceeded" of the packet (RFC 792): not of errors, nor of later fragments. */
function tellExceeded(burst: Burst, i: number, at: number, address: number): boolean {
  if (endpoint.headerAt(burst, i, at) !== at) return false;
  const to = ipv4.source(burst, i, at), quoted = ipv4.headerBytes(burst, i, at) + 8;
  burst.trim(i, burst.length(i) - at - quoted);
  if (!burst.prepend(i, 28)) return false;
  for (let k = 0; k < at; k++) burst.setU8(i, k, burst.u8(i, k + 28));
  const packet = { source: address, destination: to, protocol: PROTOCOL.ICMP, bytes: 28 + quoted };
  ipv4.write(burst, i, at, packet);
  burst.setU32(i, at + 20, ICMP.TIME_EXCEEDED * 2 ** 24);
  burst.setU32(i, at + 24, 0);
  icmp.complete(burst, i, at + 20, 8 + quoted);
  ethernet.swap(burst, i);
  burst.sendTo(i, burst.port);
  return true;
}
