import type { FrameBurst } from "../function/frame_burst.ts";
import { ICMP, icmp } from "./icmp.ts";
import { ipv4 } from "./ipv4.ts";
import { PROTOCOL, tcp, udp } from "./transport.ts";

/** Whether the packet at `at` has ports, or is an ICMP echo. */
function hasPorts(burst: FrameBurst, i: number, at: number): boolean {
  const protocol = ipv4.transport(burst, i, at);
  if (protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP) return true;
  const payload = ipv4.payload(burst, i, at);
  if (protocol !== PROTOCOL.ICMP || payload + 8 > burst.length(i)) return false;
  const type = icmp.type(burst, i, payload);
  return type === ICMP.ECHO_REQUEST || type === ICMP.ECHO_REPLY;
}

/**
 * The two ends of the flow that an IPv4 packet belongs to, for what translates addresses: address
 * and port of TCP and UDP. The identifier of an ICMP echo is the port of both of its ends. An ICMP
 * error belongs to the flow of the packet that it quotes, and its source is that packet's
 * destination (RFC 3022, 4.3). `at` is what {@linkcode ipv4.at} gives. Checksums are kept.
 */
export const endpoint = {
  /** Offset of the header with the ports: `at`, or what an ICMP error quotes; -1 if none has. */
  headerAt: (burst: FrameBurst, i: number, at: number): number => {
    if (hasPorts(burst, i, at)) return at;
    if (ipv4.transport(burst, i, at) !== PROTOCOL.ICMP) return -1;
    const quoted = icmp.quotedAt(burst, i, ipv4.payload(burst, i, at));
    return quoted >= 0 && hasPorts(burst, i, quoted) ? quoted : -1;
  },

  /** Address of the source, or the destination. `header` is what `headerAt()` has given. */
  address: (
    burst: FrameBurst,
    i: number,
    at: number,
    header: number,
    isSource: boolean,
  ): number => {
    return isSource === (header === at)
      ? ipv4.source(burst, i, header)
      : ipv4.destination(burst, i, header);
  },

  /** Port of the source, or the destination. `header` is what `headerAt()` has given. */
  port: (burst: FrameBurst, i: number, at: number, header: number, isSource: boolean): number => {
    const payload = ipv4.payload(burst, i, header);
    if (ipv4.protocol(burst, i, header) === PROTOCOL.ICMP) {
      return icmp.identifier(burst, i, payload);
    }
    const isFirst = isSource === (header === at);
    return isFirst ? udp.source(burst, i, payload) : udp.destination(burst, i, payload);
  },

  /** Set the source, or the destination: of an error both in its own header and in the quoted. */
  set: (
    burst: FrameBurst,
    i: number,
    at: number,
    isSource: boolean,
    address: number,
    port: number,
  ): void => {
    const header = endpoint.headerAt(burst, i, at);
    if (header < 0) return;
    setEnd(burst, i, header, isSource === (header === at), address, port);
    if (header === at) return;
    setAddress(burst, i, at, isSource, address);
    const message = ipv4.payload(burst, i, at);
    icmp.complete(burst, i, message, at + ipv4.totalBytes(burst, i, at) - message);
  },
} as const;

function setAddress(burst: FrameBurst, i: number, at: number, isSource: boolean, address: number) {
  if (isSource) ipv4.setSource(burst, i, at, address);
  else ipv4.setDestination(burst, i, at, address);
}

/** Set one end of the packet at `at`, which has ports. */
function setEnd(
  burst: FrameBurst,
  i: number,
  at: number,
  isSource: boolean,
  address: number,
  port: number,
): void {
  setAddress(burst, i, at, isSource, address);
  const protocol = ipv4.protocol(burst, i, at);
  const payload = ipv4.payload(burst, i, at);
  const ports = protocol === PROTOCOL.TCP ? tcp : udp;
  if (protocol === PROTOCOL.ICMP) icmp.setIdentifier(burst, i, payload, port);
  else if (isSource) ports.setSource(burst, i, payload, port);
  else ports.setDestination(burst, i, payload, port);
}
