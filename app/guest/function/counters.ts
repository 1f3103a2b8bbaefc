/**
 * Counters that the functions of an lcore may have, and bytes of each: a float64, then its name.
 */
const COUNTERS_MAX = 16, COUNTER_BYTES = 64;
const NAME_START = 8, NAME_BYTES = COUNTER_BYTES - NAME_START;

/** Bytes of memory for the counters of one lcore. */
export const COUNTERS_BYTES: number = COUNTERS_MAX * COUNTER_BYTES;

/** Something that a function counts: it shows in the guest's table and in `culvert inspect`. */
export interface Counter {
  /** Count `n` more, 1 unless told. */
  add(n?: number): void;
  /** What was counted. */
  readonly value: number;
}

/** The counters that the functions of one lcore have named. One lcore writes, all may read. */
export class FunctionCounters {
  readonly #bytes: Uint8Array;
  readonly #values: Float64Array;

  /**
   * Use {@linkcode COUNTERS_BYTES} of `buffer`, zeros at first.
   *
   * @param before What was counted by the lcore of before: counters of the same name go on.
   */
  constructor(
    readonly buffer: SharedArrayBuffer,
    private readonly before: ReadonlyMap<string, number> = new Map(),
  ) {
    this.#bytes = new Uint8Array(buffer);
    this.#values = new Float64Array(buffer);
  }

  /**
   * The counter of that name, made if it is new; all further ones are one when there are too many.
   */
  counter(name: string): Counter {
    let slot = 0;
    while (slot < COUNTERS_MAX - 1 && !["", name].includes(nameAt(this.#bytes, slot))) slot++;
    const used = slot === COUNTERS_MAX - 1 ? "others" : name;
    const start = slot * COUNTER_BYTES + NAME_START;
    const isNew = this.#bytes[start] === 0;
    if (isNew) this.#values[slot * COUNTER_BYTES / 8] = this.before.get(used) ?? 0;
    this.#bytes.set(new TextEncoder().encode(used).subarray(0, NAME_BYTES - 1), start);
    return new SlotCounter(this.#values, slot * COUNTER_BYTES / 8);
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

/** What was counted in some memory of {@linkcode COUNTERS_BYTES}, by name. */
export function readCounters(bytes: Uint8Array): Map<string, number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const counters = new Map<string, number>();
  for (let slot = 0; slot < COUNTERS_MAX; slot++) {
    const name = nameAt(bytes, slot);
    if (name !== "") counters.set(name, view.getFloat64(slot * COUNTER_BYTES, true));
  }
  return counters;
}

/** The name in a slot; empty if nobody has named it. */
function nameAt(bytes: Uint8Array, slot: number): string {
  const start = slot * COUNTER_BYTES + NAME_START;
  return new TextDecoder().decode(bytes.slice(start, start + NAME_BYTES)).replace(/\0[^]*/, "");
}
