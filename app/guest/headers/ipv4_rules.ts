import type { FrameBurst } from "../function/frame_burst.ts";
import { refuseOffset } from "../function/refuse.ts";
import type { Ipv4Prefix } from "./ipv4.ts";
import { PROTOCOL } from "./transport.ts";

/** What an IPv4 packet has to be to fit a rule: all of what is told. */
export interface Ipv4Rule {
  /** What it carries: one of `PROTOCOL`, or another number below 256. */
  readonly protocol?: number;
  /** Where it is from. */
  readonly source?: Ipv4Prefix;
  /** Where it is to. */
  readonly destination?: Ipv4Prefix;
  /** The first and the last of its TCP or UDP source ports. */
  readonly sourcePorts?: readonly [first: number, last: number];
  /** The first and the last of its TCP or UDP destination ports. */
  readonly destinationPorts?: readonly [first: number, last: number];
  /**
   * Whether it fits, too, if its ports cannot be seen: it is a later fragment, or its header is
   * cut. Rules that deny want that. False unless told.
   */
  readonly orUnseenPorts?: boolean;
}

const ANY: Ipv4Prefix = { address: 0, mask: 0, bits: 0 };

/** What stands for the ports of TCP and UDP that cannot be seen, and of packets without ports. */
const UNSEEN = 65_536, NONE = 65_537, PORTS = 65_538;

/** Bytes of a header without options, and of two addresses. */
const HEADER_BYTES = 20, ADDRESS_BYTES = 8;

/**
 * Finds the first of some rules that a packet fits, in a time that hardly depends on how many there
 * are: for each value of each field a set of bits tells which rules it fits, and a packet fits the
 * rules that are in the sets of all its fields (Lakshman and Stiliadis, "High-Speed Policy-based
 * Packet Forwarding", SIGCOMM 1998).
 *
 * @example
 * ```ts
 * import { type Burst, ipv4, Ipv4Rules, parseIpv4Prefix, PROTOCOL } from "../../function.ts";
 *
 * const denied = new Ipv4Rules([
 *   { protocol: PROTOCOL.TCP, destinationPorts: [0, 1023] },
 *   { source: parseIpv4Prefix("10.0.0.0/8") },
 * ]);
 *
 * export default function (burst: Burst) {
 *   for (let i = 0; i < burst.count; i++) {
 *     const at = ipv4.at(burst, i);
 *     if (at >= 0 && denied.first(burst, i, at) >= 0) burst.drop(i);
 *   }
 * }
 * ```
 */
export class Ipv4Rules {
  /** 32-bit words of a set of rules. */
  private readonly words: number;
  /** Sets by byte of the addresses, then by its value: 256 for each byte. */
  private readonly addresses: Int32Array;
  /** Sets by protocol. */
  private readonly protocols: Int32Array;
  private readonly sourcePorts: PortSets;
  private readonly destinationPorts: PortSets;

  /** Make the sets: that takes some milliseconds. */
  constructor(rules: readonly Ipv4Rule[]) {
    const words = Math.ceil(rules.length / 32);
    this.words = words;
    this.addresses = new Int32Array(ADDRESS_BYTES * 256 * words);
    this.protocols = new Int32Array(256 * words);
    rules.forEach(({ protocol, source = ANY, destination = ANY }, rule) => {
      for (let value = 0; value < 256; value++) {
        if ((protocol ?? value) === value) add(this.protocols, value * words, rule);
        for (let byte = 0; byte < ADDRESS_BYTES; byte++) {
          const { address, mask } = byte < 4 ? source : destination;
          const shift = 24 - 8 * (byte & 3);
          if ((value & mask >>> shift) !== (address >>> shift & 0xff)) continue;
          add(this.addresses, (byte << 8 | value) * words, rule);
        }
      }
    });
    this.sourcePorts = new PortSets(rules.map((rule) => [rule.sourcePorts, rule]));
    this.destinationPorts = new PortSets(rules.map((rule) => [rule.destinationPorts, rule]));
  }

  /**
   * The index of the first rule that the packet of frame `i` fits, or -1.
   *
   * @param at What `ipv4.at()` has given.
   */
  first(burst: FrameBurst, i: number, at: number): number {
    const end = burst.length(i);
    if (at < 0 || at + HEADER_BYTES > end) refuseOffset(burst, i, at, HEADER_BYTES);
    // One look at the bounds, and then the bytes: by u8() each costs as much as all this.
    const { u8 } = burst.memory;
    const ip = burst.start(i) + at;
    const protocol = u8[ip + 9];
    let from = NONE, to = NONE;
    if (protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP) {
      const bytes = (u8[ip] & 0xf) << 2, portsEnd = bytes + 4;
      const isFirst = (u8[ip + 6] & 0x1f | u8[ip + 7]) === 0; // fragment
      const isSeen = isFirst && portsEnd <= (u8[ip + 2] << 8 | u8[ip + 3]) && at + portsEnd <= end;
      from = isSeen ? u8[ip + bytes] << 8 | u8[ip + bytes + 1] : UNSEEN;
      to = isSeen ? u8[ip + bytes + 2] << 8 | u8[ip + bytes + 3] : UNSEEN;
    }
    const { words, addresses, protocols } = this;
    const { sets: sources } = this.sourcePorts, { sets: destinations } = this.destinationPorts;
    const fromSet = this.sourcePorts.at[from] * words;
    const toSet = this.destinationPorts.at[to] * words;
    for (let word = 0; word < words; word++) {
      const fits = sources[fromSet + word] & destinations[toSet + word] &
        protocols[protocol * words + word] &
        addresses[u8[ip + 12] * words + word] &
        addresses[(0x100 | u8[ip + 13]) * words + word] &
        addresses[(0x200 | u8[ip + 14]) * words + word] &
        addresses[(0x300 | u8[ip + 15]) * words + word] &
        addresses[(0x400 | u8[ip + 16]) * words + word] &
        addresses[(0x500 | u8[ip + 17]) * words + word] &
        addresses[(0x600 | u8[ip + 18]) * words + word] &
        addresses[(0x700 | u8[ip + 19]) * words + word];
      if (fits !== 0) return word << 5 | 31 - Math.clz32(fits & -fits);
    }
    return -1;
  }
}

function add(sets: Int32Array, at: number, rule: number): void {
  sets[at + (rule >>> 5)] |= 1 << (rule & 31);
}

/** Sets of rules by port. Many ports have the same set, which is there once. */
class PortSets {
  /** By port, or what stands for none: which set. */
  readonly at: Uint16Array = new Uint16Array(PORTS);
  readonly sets: Int32Array;

  constructor(rules: readonly (readonly [Ipv4Rule["sourcePorts"], Ipv4Rule])[]) {
    const words = Math.ceil(rules.length / 32);
    const ranges = rules.map(([ports]) => ports ?? [0, UNSEEN - 1]);
    // The ports at which a set differs from that of the port before.
    const bounds = [...new Set([0, ...ranges.flatMap(([first, last]) => [first, last + 1])])]
      .filter((port) => port < UNSEEN).sort((a, b) => a - b).concat(UNSEEN, NONE);
    this.sets = new Int32Array(bounds.length * words);
    bounds.forEach((bound, set) => {
      this.at.fill(set, bound);
      rules.forEach(([ports, { orUnseenPorts = false }], rule) => {
        const [first, last] = ports ?? [0, NONE];
        const fits = bound >= first && bound <= last || bound === UNSEEN && orUnseenPorts;
        if (fits) add(this.sets, set * words, rule);
      });
    });
  }
}
