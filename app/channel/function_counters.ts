import { FUNCTION_COUNTER } from "../memory/layout.ts";

const { SLOTS, SLOT_BYTES, NAME_BYTE } = FUNCTION_COUNTER;
const NAME_BYTES = SLOT_BYTES - NAME_BYTE;

const encoder = new TextEncoder(), decoder = new TextDecoder();

/** Bytes of memory for the counters of one lcore. */
export const COUNTERS_BYTES: number = FUNCTION_COUNTER.BLOCK_BYTES;

/** Something that a function counts: it shows in the guest's table and in `culvert inspect`. */
export interface Counter {
  /** Count `n` more, 1 by default. */
  add(n?: number): void;
  /** What was counted. */
  readonly value: number;
}

/**
 * The counters that the functions of one lcore have named, in memory of the guest's own: the lcore
 * writes, and the main thread copies it into the region several times a second.
 */
export class FunctionCounters {
  readonly #bytes: Uint8Array;
  readonly #values: Float64Array;

  /**
   * Use {@linkcode COUNTERS_BYTES} of `buffer`, zeros at first.
   *
   * @param before What the lcore before this one counted: counters of the same name go on.
   */
  constructor(
    readonly buffer: SharedArrayBuffer,
    private readonly before: ReadonlyMap<string, number> = new Map(),
  ) {
    this.#bytes = new Uint8Array(buffer);
    this.#values = new Float64Array(buffer);
  }

  /**
   * The counter of that name, made if it is new; when there are too many, all new names share one.
   * A long name is cut off.
   */
  counter(longName: string): Counter {
    const name = cutName(longName);
    let slot = 0;
    while (slot < SLOTS - 1 && !["", name].includes(nameAt(this.#bytes, slot))) slot++;
    const used = slot === SLOTS - 1 ? "others" : name;
    const start = slot * SLOT_BYTES + NAME_BYTE;
    const isNew = this.#bytes[start] === 0;
    if (isNew) this.#values[slot * SLOT_BYTES / 8] = this.before.get(used) ?? 0;
    this.#bytes.set(encoder.encode(used), start);
    return new SlotCounter(this.#values, slot * SLOT_BYTES / 8);
  }
}

class SlotCounter implements Counter {
  constructor(private readonly values: Float64Array, private readonly at: number) {}
  add(n = 1): void {
    this.values[this.at] += n;
  }
  get value(): number {
    return this.values[this.at];
  }
}

/**
 * What was counted in some memory of {@linkcode COUNTERS_BYTES} for each lcore: sums by name. Any
 * member of the region may have written anything there: values that are no numbers are left out,
 * and a name ends where it is no text.
 */
export function readCounters(bytes: Uint8Array): Map<string, number> {
  const copy = bytes.slice(); // a guest may write meanwhile
  const view = new DataView(copy.buffer);
  const sums = new Map<string, number>();
  for (let at = 0; at + SLOT_BYTES <= copy.length; at += SLOT_BYTES) {
    const name = nameAt(copy, at / SLOT_BYTES);
    const value = view.getFloat64(at + FUNCTION_COUNTER.VALUE_BYTE, true);
    const sum = (sums.get(name) ?? 0) + value;
    if (name !== "" && Number.isFinite(sum)) {
      sums.set(name, sum);
    }
  }
  return sums;
}

/** Copy what the functions of each lcore count into a guest's blocks; the others become empty. */
export function copyCounters(blocks: Uint8Array, lcores: readonly ArrayBufferLike[]): void {
  for (let i = 0; i * COUNTERS_BYTES < blocks.length; i++) {
    const block = blocks.subarray(i * COUNTERS_BYTES, (i + 1) * COUNTERS_BYTES);
    if (i < lcores.length) block.set(new Uint8Array(lcores[i], 0, COUNTERS_BYTES));
    else block.fill(0);
  }
}

/** What a slot keeps of a name: the whole characters that fit, up to one that is no text. */
function cutName(name: string): string {
  const bytes = new Uint8Array(NAME_BYTES);
  encoder.encodeInto(name, bytes.subarray(0, NAME_BYTES - 1));
  return textOf(bytes);
}

/** The name in a slot; empty if nobody has named it. */
function nameAt(bytes: Uint8Array, slot: number): string {
  const start = slot * SLOT_BYTES + NAME_BYTE;
  return textOf(bytes.slice(start, start + NAME_BYTES));
}

function textOf(bytes: Uint8Array<ArrayBuffer>): string {
  return decoder.decode(bytes).replace(/[\0\ufffd][^]*/, "");
}
