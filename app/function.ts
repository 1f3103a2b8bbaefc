/**
 * What a network function is written with: the file that `culvert guest --function FILE` names.
 *
 * @example
 * ```ts
 * import { type Burst, ETHERTYPE, ethernet } from "./function.ts";
 *
 * // Drop ARP.
 * export default function (burst: Burst) {
 *   for (let i = 0; i < burst.count; i++) {
 *     if (ethernet.type(burst, i) === ETHERTYPE.ARP) burst.drop(i);
 *   }
 * }
 * ```
 *
 * @module
 */
export type { Context, PortDescription } from "./guest/function/context.ts";
export type { Counter } from "./channel/function_counters.ts";
export type { FrameBurst as Burst } from "./guest/function/frame_burst.ts";
export type {
  FrameFunction,
  FunctionModule,
  OptionsSchema,
  Validated,
} from "./guest/function/function_module.ts";
export { type Defaults, plainOptions } from "./guest/function/plain_options.ts";
export { formatMac } from "./guest/mac_address.ts";
export { ARP, arp } from "./guest/headers/arp.ts";
export { internetChecksum, updateChecksum, updateChecksum32 } from "./guest/headers/checksum.ts";
export { endpoint } from "./guest/headers/endpoint.ts";
export { ethernet, ETHERTYPE, vlan } from "./guest/headers/ethernet.ts";
export { ICMP, icmp, ICMPV6 } from "./guest/headers/icmp.ts";
export {
  formatIpv4,
  ipv4,
  type Ipv4Prefix,
  parseIpv4,
  parseIpv4Prefix,
} from "./guest/headers/ipv4.ts";
export { type Ipv4Rule, Ipv4Rules } from "./guest/headers/ipv4_rules.ts";
export { ipv6 } from "./guest/headers/ipv6.ts";
export { type Ports, PROTOCOL, tcp, TCP_FLAG, udp } from "./guest/headers/transport.ts";
