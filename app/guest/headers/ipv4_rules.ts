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
const UNSEEN = 65_536, NONE = 65_537;

/** Values of 16 bits; and with what stands for none. */
const VALUES = 65_536, PORTS = 65_538;

/** Where the values of a field begin among all: four halves of addresses, two ports. */
const SOURCE_LOW = VALUES, DESTINATION_HIGH = 2 * VALUES, DESTINATION_LOW = 3 * VALUES;
const SOURCE_PORT = 4 * VALUES, DESTINATION_PORT = SOURCE_PORT + PORTS;

/** Bytes of a header without options. */
const HEADER_BYTES = 20;

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
  /** By field and its value: where in {@linkcode sets} the set begins of rules that it fits. */
  private readonly at: Int32Array;
  /** A set of rules for each protocol, then those of the other fields. */
  private readonly sets: Int32Array;

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
      for (let value = first; value <= last; value++) add(protocols, value * words, rule);
    });
    let begin = protocols.length;
    for (const { at, sets } of fields) {
      for (let value = 0; value < at.length; value++) at[value] += begin;
      begin += sets.length;
    }
    this.at = joined(fields.map(({ at }) => at));
    this.sets = joined([protocols, ...fields.map(({ sets }) => sets)]);
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

/** 16 bits with their bytes in the other order. */
function swapped(value: number): number {
  return (value & 0xff) << 8 | value >>> 8;
}

function joined(parts: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function add(sets: Int32Array, at: number, rule: number): void {
  sets[at + (rule >>> 5)] |= 1 << (rule & 31);
}

/** From where to where the upper (`shift` 16) or lower half of an address may be. */
function halfOf({ address, mask }: Ipv4Prefix, shift: number): [first: number, last: number] {
  const first = address >>> shift & 0xffff;
  return [first, first | ~(mask >>> shift) & 0xffff];
}

/** Sets of rules by a field's value. Many values have the same set, which is there once. */
interface FieldSets {
  /** By value: where in {@linkcode sets} its set begins. */
  readonly at: Int32Array;
  readonly sets: Int32Array;
}

function portSets(
  rules: readonly Ipv4Rule[],
  of: "sourcePorts" | "destinationPorts",
): FieldSets {
  const unseen = rules.map((rule) => rule[of] === undefined || rule.orUnseenPorts === true);
  const none = rules.map((rule) => rule[of] === undefined);
  return setsOf(rules.map((rule) => rule[of] ?? [0, VALUES - 1]), [unseen, none]);
}

/**
 * The sets of a field.
 *
 * @param ranges By rule, the first and the last value of 16 bits that fits.
 * @param others By value beyond 16 bits: whether it fits, by rule.
 */
function setsOf(
  ranges: readonly (readonly [first: number, last: number])[],
  others: readonly (readonly boolean[])[] = [],
): FieldSets {
  const words = Math.ceil(ranges.length / 32);
  // The values at which a set differs from that of the value before.
  const bounds = [...new Set([0, ...ranges.flatMap(([first, last]) => [first, last + 1])])]
    .filter((value) => value < VALUES).sort((a, b) => a - b)
    .concat(others.map((_, k) => VALUES + k));
  const at = new Int32Array(VALUES + others.length);
  const sets = new Int32Array(bounds.length * words);
  bounds.forEach((bound, set) => {
    at.fill(set * words, bound);
    ranges.forEach(([first, last], rule) => {
      const fits = bound < VALUES ? bound >= first && bound <= last : others[bound - VALUES][rule];
      if (fits) add(sets, set * words, rule);
    });
  });
  return { at, sets };
}
