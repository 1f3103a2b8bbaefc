/**
 * TCP and UDP packets, as super-frames and as the frames that a NIC would send for them.
 *
 * @module
 */
import { slowSum } from "../kit/slow_checksum.ts";

export const TCP = { number: 6, checksum: 16 } as const;
export const UDP = { number: 17, checksum: 6 } as const;
export const [FIN, PSH, ACK, CWR] = [0x01, 0x08, 0x10, 0x80];

export const TYPE = { TCPV4: 1, UDP: 3, TCPV6: 4, UDP_L4: 5, ECN: 0x80 } as const;
export const NEEDS_CSUM = 1;

/** What a frame is made of. */
export interface Packet {
  readonly version: 4 | 6;
  readonly protocol: typeof TCP | typeof UDP;
  /** Each TPID (16) | TCI (16). */
  readonly tags: number[];
  /** IPv4 options, or IPv6 extension headers less the last one's NEXT byte. */
  readonly options: Uint8Array;
  /** Of the first extension header, if there are any. */
  readonly optionsType: number;
  /** Where the packet ends up, if a routing header says so. */
  readonly target?: Uint8Array;
  readonly tcpOptions: Uint8Array;
  readonly id: number;
  readonly sequence: number;
  readonly flags: number;
  readonly payload: Uint8Array;
}

export const PLAIN: Packet = {
  version: 4,
  protocol: TCP,
  tags: [],
  options: new Uint8Array(0),
  optionsType: 60,
  tcpOptions: new Uint8Array(12).fill(1),
  id: 0xfffe,
  sequence: 0xffff_ff00,
  flags: ACK | PSH | FIN | CWR,
  payload: Uint8Array.from({ length: 5000 }, (_, i) => i * 7 + (i >> 8)),
};

/** Write a frame out, field by field: its checksum `complete`, or a partial one as Linux's. */
export function frameOf(packet: Packet, complete: boolean): Uint8Array {
  const { version, protocol, tags, options, tcpOptions, payload } = packet;
  const network = 14 + 4 * tags.length;
  const transport = network + (version === 4 ? 20 : 40) + options.length;
  const headers = transport + (protocol === TCP ? 20 + tcpOptions.length : 8);
  const frame = new Uint8Array(headers + payload.length);
  const view = new DataView(frame.buffer);
  const short = (length: number) => length > 0xffff ? 0 : length;

  frame.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
  tags.forEach((tag, i) => view.setUint32(12 + 4 * i, tag));
  view.setUint16(network - 2, version === 4 ? 0x0800 : 0x86dd);

  const addresses = version === 4 ? network + 12 : network + 8;
  const addressBytes = version === 4 ? 4 : 16;
  for (let i = 0; i < 2 * addressBytes; i++) frame[addresses + i] = 101 * (i + 3);
  const target = packet.target ??
    frame.slice(addresses + addressBytes, addresses + 2 * addressBytes);
  if (version === 4) {
    frame[network] = 0x40 | (transport - network) / 4;
    view.setUint16(network + 2, short(frame.length - network));
    view.setUint16(network + 4, packet.id);
    view.setUint16(network + 6, 0x4000);
    frame[network + 8] = 64;
    frame[network + 9] = protocol.number;
    frame.set(options, network + 20);
    view.setUint16(network + 10, 0xffff - slowSum(frame.subarray(network, transport)));
  } else {
    view.setUint32(network, 0x6abcdef0);
    view.setUint16(network + 4, short(frame.length - network - 40));
    frame[network + 6] = options.length ? packet.optionsType : protocol.number;
    frame[network + 7] = 64;
    frame.set(options, network + 40);
    if (options.length) frame[network + 40] = protocol.number;
  }

  view.setUint16(transport, 40000);
  view.setUint16(transport + 2, 443);
  if (protocol === TCP) {
    view.setUint32(transport + 4, packet.sequence);
    view.setUint32(transport + 8, 0x01020304);
    frame[transport + 12] = (headers - transport) / 4 << 4;
    frame[transport + 13] = packet.flags;
    view.setUint16(transport + 14, 501);
    frame.set(tcpOptions, transport + 20);
  } else {
    view.setUint16(transport + 4, short(frame.length - transport));
  }
  frame.set(payload, headers);

  const pseudo = new Uint8Array(8);
  new DataView(pseudo.buffer).setUint32(0, frame.length - transport);
  pseudo[7] = protocol.number;
  const partial = slowSum(frame.subarray(addresses, addresses + addressBytes), target, pseudo);
  view.setUint16(transport + protocol.checksum, partial);
  if (complete) {
    const checksum = 0xffff - slowSum(frame.subarray(transport));
    view.setUint16(transport + protocol.checksum, protocol === UDP ? checksum || 0xffff : checksum);
  }
  return frame;
}

/** What a NIC sends for a super-frame. */
export function segmentsOf(packet: Packet, size: number): Uint8Array[] {
  const count = Math.max(1, Math.ceil(packet.payload.length / size));
  return Array.from({ length: count }, (_, i) => {
    let flags = packet.flags;
    if (i > 0) flags &= ~CWR;
    if (i < count - 1) flags &= ~(FIN | PSH);
    return frameOf({
      ...packet,
      flags,
      id: (packet.id + i) & 0xffff,
      sequence: (packet.sequence + i * size) % 2 ** 32,
      payload: packet.payload.subarray(i * size, (i + 1) * size),
    }, true);
  });
}

/** The meta that the kernel would give. */
export function metadataOf(packet: Packet, size: number): { offload: number; checksum: number } {
  const tcp = packet.version === 4 ? TYPE.TCPV4 : TYPE.TCPV6;
  const type = packet.protocol === TCP ? tcp : TYPE.UDP_L4;
  const ecn = packet.protocol === TCP && packet.flags & CWR ? TYPE.ECN : 0;
  const start = 14 + 4 * packet.tags.length + (packet.version === 4 ? 20 : 40) +
    packet.options.length;
  return {
    offload: (size << 16 | (type | ecn) << 8 | NEEDS_CSUM) >>> 0,
    checksum: packet.protocol.checksum << 16 | start,
  };
}
