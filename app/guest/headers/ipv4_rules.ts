import type { FrameBurst } from "../function/frame_burst.ts";
import { refuseOffset } from "../function/refuse.ts";
import { DESCRIPTOR } from "../../memory/layout.ts";
import { ipv4, type Ipv4Prefix } from "./ipv4.ts";
import {
  addRule,
  type FieldSets,
  joined,
  numbersOf,
  setsOf,
  swapped,
  VALUES,
} from "./ipv4_rule_sets.ts";
import { PROTOCOL } from "./transport.ts";

/** What an IPv4 packet has to be to fit a rule: all that the rule says. */
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
   * cut. Rules that deny want that. False by default.
   */
  readonly orUnseenPorts?: boolean;
}

const ANY: Ipv4Prefix = { address: 0, mask: 0, bits: 0 };

/** What stands for the ports of TCP and UDP that cannot be seen, and of packets without ports. */
const UNSEEN = VALUES, NONE = VALUES + 1;

/** Values of a port, with what stands for none. */
const PORTS = VALUES + 2;

/** Where the values of a field begin among all: four halves of addresses, two ports. */
const SOURCE_LOW = VALUES, DESTINATION_HIGH = 2 * VALUES, DESTINATION_LOW = 3 * VALUES;
const SOURCE_PORT = 4 * VALUES, DESTINATION_PORT = SOURCE_PORT + PORTS;

/** Bytes of a header without options, and of one with the ports behind it. */
const HEADER_BYTES = 20, WITH_PORTS_BYTES = 24;

/** Offset of a header behind an Ethernet header without a tag. */
const AT_UNTAGGED = 14;

/** Bytes 12 to 14 of an untagged frame with such a header, as a word of this machine has them. */
const PLAIN_IPV4 = 0x45_00_08;

/** How many answers are kept: see `Ipv4Rules.firstOfEach()`. */
const KEPT_BITS = 12, KEPT = 1 << KEPT_BITS;

/** Odd numbers that spread keys over what is kept (Knuth, "multiplicative hashing"). */
const SPREAD = 0x9e3779b1, SPREAD_TOO = 0x85ebca6b;

/**
 * Finds the first of some rules that a packet fits, in a time that hardly depends on how many there
 * are: for each value of each field a set of bits tells which rules it fits, and a packet fits the
 * rules that are in the sets of all its fields (Lakshman and Stiliadis, "High-Speed Policy-based
 * Packet Forwarding", SIGCOMM 1998).
 *
 * @example
 * ```ts
 * import { type Burst, Ipv4Rules, parseIpv4Prefix, PROTOCOL } from "../../function.ts";
 *
 * const denied = new Ipv4Rules([
 *   { protocol: PROTOCOL.TCP, destinationPorts: [0, 1023] },
 *   { source: parseIpv4Prefix("10.0.0.0/8") },
 * ]);
 *
 * export default function (burst: Burst) {
 *   const rules = denied.firstOfEach(burst);
 *   for (let i = 0; i < burst.count; i++) if (rules[i] >= 0) burst.drop(i);
 * }
 * ```
 */
export class Ipv4Rules {
  /** What {@linkcode firstOfEach} gives for a frame without a whole IPv4 packet. */
  static readonly NO_PACKET: number = -2;

  /** 32-bit words of a set of rules. */
  private readonly words: number;
  /** By field and its value: where in {@linkcode sets} the set begins of rules that it fits. */
  private readonly at: Int32Array;
  /** A set of rules for each protocol, then those of the other fields. */
  private readonly sets: Int32Array;
  /**
   * By field and its value, as it stands on the wire: values with the same set have the same
   * number. The sum of the numbers of the first three fields tells their three sets, the sum of the
   * others tells theirs. None if there are too many sets for that.
   */
  private readonly numbers?: Int32Array;
  /** Answers that are kept: the two sums, and which rule it was. */
  private readonly keys = new Int32Array(KEPT << 1).fill(-1);
  private readonly kept = new Int32Array(KEPT);
  private found = new Int32Array(0);

  /** Make the sets: that takes some milliseconds. */
  constructor(rules: readonly Ipv4Rule[]) {
    const halves = (of: "source" | "destination", shift: number) =>
      rules.map((rule) => halfOf(rule[of] ?? ANY, shift));
    const fields = [
      ...[halves("source", 16), halves("source", 0)].map((ranges) => setsOf(ranges)),
      ...[halves("destination", 16), halves("destination", 0)].map((ranges) => setsOf(ranges)),
      ...(["sourcePorts", "destinationPorts"] as const).map((of) => portSets(rules, of)),
    ];
    const words = this.words = Math.ceil(rules.length / 32);
    const protocols = new Int32Array(256 * words);
    rules.forEach(({ protocol }, rule) => {
      const [first, last] = protocol === undefined ? [0, 255] : [protocol, protocol];
      for (let value = first; value <= last; value++) addRule(protocols, value * words, rule);
    });
    this.numbers = numbersOf(fields, words);
    let begin = protocols.length;
    for (const { at, sets } of fields) {
      for (let value = 0; value < at.length; value++) at[value] += begin;
      begin += sets.length;
    }
    this.at = joined(fields.map(({ at }) => at));
    this.sets = joined([protocols, ...fields.map(({ sets }) => sets)]);
  }

  /**
   * For each frame of a burst the index of the first rule that its packet fits, or -1, or
   * {@linkcode NO_PACKET}. That takes half the time of {@linkcode first} for each: packets whose
   * fields have the same sets fit the same rule, and which it was is kept.
   *
   * @returns an array that the next call uses again.
   */
  firstOfEach(burst: FrameBurst): Int32Array {
    const { count, memory, descriptors } = burst;
    if (this.found.length < count) this.found = new Int32Array(burst.capacity);
    const { found, numbers, keys, kept } = this;
    if (numbers === undefined) {
      for (let i = 0; i < count; i++) found[i] = this.firstIn(burst, i);
      return found;
    }
    const { u32, offset, stride } = memory;
    let lastAddresses = -1, lastPorts = -1, last = -1;
    for (let i = 0; i < count; i++) {
      const data = descriptors[(i << 1) + 1];
      const index = descriptors[i << 1] & DESCRIPTOR.INDEX_MASK;
      const byte = offset + index * stride + (data & 0xffff);
      const word = byte >>> 2;
      const second = u32[word + 4] | 0; // the packet's length
      const third = u32[word + 5] | 0; // fragment, time to live, protocol
      const bytes = (second & 0xff) << 8 | second >>> 8 & 0xff;
      const protocol = third >>> 24;
      const isPlain = (u32[word + 3] & 0xff_ff_ff) === PLAIN_IPV4 && (byte & 3) === 0 &&
        bytes >= WITH_PORTS_BYTES && AT_UNTAGGED + bytes <= data >>> 16 &&
        (third & 0xff1f) === 0 && (protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP);
      if (!isPlain) {
        found[i] = this.firstIn(burst, i);
        continue;
      }
      const a = u32[word + 6] | 0, b = u32[word + 7] | 0;
      const c = u32[word + 8] | 0, d = u32[word + 9] | 0;
      const addresses = numbers[a >>> 16] + numbers[VALUES + (b & 0xffff)] +
          numbers[2 * VALUES + (b >>> 16)] | 0;
      const ports = numbers[3 * VALUES + (c & 0xffff)] + numbers[4 * VALUES + (c >>> 16)] +
          numbers[5 * VALUES + (d & 0xffff)] + (protocol & 1) | 0; // TCP is even, UDP odd
      if (addresses !== lastAddresses || ports !== lastPorts) {
        lastAddresses = addresses;
        lastPorts = ports;
        const hash = Math.imul(addresses, SPREAD) ^ Math.imul(ports, SPREAD_TOO);
        const slot = hash >>> 32 - KEPT_BITS, key = slot << 1;
        if (keys[key] !== addresses || keys[key + 1] !== ports) {
          keys[key] = addresses;
          keys[key + 1] = ports;
          kept[slot] = this.first(burst, i, AT_UNTAGGED);
        }
        last = kept[slot];
      }
      found[i] = last;
    }
    return found;
  }

  /** As {@linkcode first}, or {@linkcode NO_PACKET}. */
  private firstIn(burst: FrameBurst, i: number): number {
    const at = ipv4.at(burst, i);
    return at < 0 ? Ipv4Rules.NO_PACKET : this.first(burst, i, at);
  }

  /**
   * The index of the first rule that the packet of frame `i` fits, or -1.
   *
   * @param at What `ipv4.at()` has given.
   */
  first(burst: FrameBurst, i: number, at: number): number {
    const end = burst.length(i);
    if (at < 0 || at + HEADER_BYTES > end) refuseOffset(burst, i, at, HEADER_BYTES);
    // One look at the bounds, and then words: by u8() each byte costs as much as all this.
    const { u8, u32 } = burst.memory;
    const ip = burst.start(i) + at;
    const isAligned = (ip & 3) === 2; // as behind an Ethernet header
    const word = ip + 2 >>> 2;
    const fragment = isAligned ? u32[word + 1] | 0 : wordAt(u8, ip + 6);
    const checksum = isAligned ? u32[word + 2] | 0 : wordAt(u8, ip + 10);
    const middle = isAligned ? u32[word + 3] | 0 : wordAt(u8, ip + 14);
    const low = u8[ip + 18] << 8 | u8[ip + 19];
    const protocol = fragment >>> 24;
    let from = NONE, to = NONE;
    if (protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP) {
      const bytes = (u8[ip] & 0xf) << 2, portsEnd = bytes + 4;
      const isFirst = (fragment & 0xff1f) === 0;
      const isSeen = isFirst && portsEnd <= (u8[ip + 2] << 8 | u8[ip + 3]) && at + portsEnd <= end;
      from = isSeen ? u8[ip + bytes] << 8 | u8[ip + bytes + 1] : UNSEEN;
      to = isSeen ? u8[ip + bytes + 2] << 8 | u8[ip + bytes + 3] : UNSEEN;
    }
    const { words, at: begins, sets } = this;
    const a = begins[swapped(checksum >>> 16)];
    const b = begins[SOURCE_LOW + swapped(middle & 0xffff)];
    const c = begins[DESTINATION_HIGH + swapped(middle >>> 16)];
    const d = begins[DESTINATION_LOW + low];
    const e = begins[SOURCE_PORT + from];
    const f = begins[DESTINATION_PORT + to];
    const g = protocol * words;
    for (let k = 0; k < words; k++) {
      const fits = sets[a + k] & sets[b + k] & sets[c + k] & sets[d + k] & sets[e + k] &
        sets[f + k] & sets[g + k];
      if (fits !== 0) return k << 5 | 31 - Math.clz32(fits & -fits);
    }
    return -1;
  }
}

/** The four bytes from `byte` on, as a word of this machine has them. */
function wordAt(u8: Uint8Array, byte: number): number {
  return u8[byte] | u8[byte + 1] << 8 | u8[byte + 2] << 16 | u8[byte + 3] << 24;
}

/** From where to where the upper (`shift` 16) or lower half of an address may be. */
function halfOf({ address, mask }: Ipv4Prefix, shift: number): [first: number, last: number] {
  const first = address >>> shift & 0xffff;
  return [first, first | ~(mask >>> shift) & 0xffff];
}

function portSets(
  rules: readonly Ipv4Rule[],
  of: "sourcePorts" | "destinationPorts",
): FieldSets {
  const unseen = rules.map((rule) => rule[of] === undefined || rule.orUnseenPorts === true);
  const none = rules.map((rule) => rule[of] === undefined);
  return setsOf(rules.map((rule) => rule[of] ?? [0, VALUES - 1]), [unseen, none]);
}
