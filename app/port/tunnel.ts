import { get16, type Words } from "./checksum.ts";
import { ETHERTYPE, type IpLayer, PROTOCOL } from "./ip_layer.ts";
import { behindTags } from "./vlan.ts";

const UDP_BYTES = 8;
/** UDP ports of VXLAN (RFC 7348) and Geneve (RFC 8926); VXLAN's before it had one (Linux). */
const PORT = { VXLAN: 4789, VXLAN_OLD: 8472, GENEVE: 6081 } as const;
/** An Ethernet frame inside: Geneve's and GRE's protocol type (RFC 8926, RFC 1701). */
const TRANSPARENT_ETHERNET = 0x6558;
const VXLAN_BYTES = 8;
/** Of GRE (RFC 2784, RFC 2890): the flag of a key, and bytes without one. */
const GRE = { KEY: 0x2000, BYTES: 4 } as const;

/**
 * Find the IP header inside a tunnel.
 *
 * @param outer The tunnel's own IP header.
 * @param known Bytes of `memory` that may be looked at.
 * @param inner Is moved to what is found.
 * @returns false if it is no tunnel of VXLAN, Geneve, GRE or IP, or one that we cannot mend: GRE
 * with checksums or sequence numbers, Geneve or VXLAN with something else than Ethernet in it.
 */
export function findInnerLayer(
  memory: Words,
  outer: IpLayer,
  known: number,
  inner: IpLayer,
): boolean {
  const { u8 } = memory;
  const at = outer.transport;
  switch (outer.protocol) {
    case PROTOCOL.UDP:
      return inEthernet(memory, behindUdp(u8, at), known, inner);
    case PROTOCOL.GRE: {
      const flags = get16(u8, at);
      if ((flags & ~GRE.KEY) !== 0) return false;
      const next = at + GRE.BYTES + (flags === 0 ? 0 : 4);
      const type = get16(u8, at + 2);
      if (type === TRANSPARENT_ETHERNET) return inEthernet(memory, next, known, inner);
      return inner.read(memory, next, known, type);
    }
    case PROTOCOL.IPV4:
      return inner.read(memory, at, known, ETHERTYPE.IPV4);
    case PROTOCOL.IPV6:
      return inner.read(memory, at, known, ETHERTYPE.IPV6);
    default:
      return false;
  }
}

/** Where the Ethernet header inside a UDP tunnel starts; 0 if it is none that we know. */
function behindUdp(u8: Uint8Array, at: number): number {
  const port = get16(u8, at + 2);
  if (port === PORT.VXLAN || port === PORT.VXLAN_OLD) return at + UDP_BYTES + VXLAN_BYTES;
  const geneve = at + UDP_BYTES;
  if (port !== PORT.GENEVE || get16(u8, geneve + 2) !== TRANSPARENT_ETHERNET) return 0;
  return geneve + 8 + ((u8[geneve] & 0x3f) << 2);
}

function inEthernet(memory: Words, at: number, known: number, inner: IpLayer): boolean {
  if (at === 0 || at + 22 > known) return false;
  const network = behindTags(memory.u8, at);
  return inner.read(memory, network, known, get16(memory.u8, network - 2));
}
