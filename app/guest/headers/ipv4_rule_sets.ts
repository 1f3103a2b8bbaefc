/**
 * Sets of rules, by the values of the fields that they are about.
 *
 * @module
 */

/** Values of 16 bits. */
export const VALUES = 65_536;

/** Fields whose numbers are in the first of two sums: see `Ipv4Rules.numbers`. */
const ADDRESS_FIELDS = 3;

/** Sets of rules by a field's value. Many values have the same set, which is there once. */
export interface FieldSets {
  /** By value: where in {@linkcode sets} its set begins. */
  readonly at: Int32Array;
  /** Some words for each set, a bit for each rule. */
  readonly sets: Int32Array;
}

/**
 * The sets of a field.
 *
 * @param ranges By rule, the first and the last value of 16 bits that fits.
 * @param others By value beyond 16 bits: whether it fits, by rule.
 */
export function setsOf(
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
      if (fits) addRule(sets, set * words, rule);
    });
  });
  return { at, sets };
}

/**
 * What `Ipv4Rules.numbers` is, of values that are 16 bits; undefined if there are too many sets.
 *
 * @param words How many words a set has.
 */
export function numbersOf(fields: readonly FieldSets[], words: number): Int32Array | undefined {
  const numbers = new Int32Array(fields.length * VALUES);
  const counts = fields.map(({ sets }) => sets.length / Math.max(1, words));
  let factor = 1;
  for (const [field, { at }] of fields.entries()) {
    if (field === ADDRESS_FIELDS) factor = 2; // the least bit tells TCP from UDP
    for (let value = 0; value < VALUES; value++) {
      numbers[field * VALUES + swapped(value)] = at[value] / Math.max(1, words) * factor;
    }
    factor *= counts[field];
    if (factor > 2 ** 31) return undefined;
  }
  return numbers;
}

/** One array of many. */
export function joined(parts: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Add a rule to the set at a word. */
export function addRule(sets: Int32Array, at: number, rule: number): void {
  sets[at + (rule >>> 5)] |= 1 << (rule & 31);
}

/** 16 bits with their bytes in the other order. */
export function swapped(value: number): number {
  return (value & 0xff) << 8 | value >>> 8;
}
