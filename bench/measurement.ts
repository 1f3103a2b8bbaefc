/** Whether more or less is better. */
export type Better = "more" | "less";

/** One sample, in the measurement's unit. */
export type Sample = () => Promise<number>;

/** One side's samples: their median, and their range if it is known. */
export interface Spread {
  readonly value: number;
  readonly min?: number;
  readonly max?: number;
}

/** What was measured beside us, in the same run, in turns. */
export interface PeerResult extends Spread {
  readonly name: string;
  /** Ratios of the pairs: above 1 where we are better. */
  readonly ratio: Spread;
  /** The ratio that we want to reach, where there is one. */
  readonly wanted?: number;
}

/** One line of the results. */
export interface Measurement extends Spread {
  /** The part of the bench that it belongs to: `ring`. */
  readonly area: string;
  readonly name: string;
  readonly unit: string;
  readonly better: Better;
  /** Nanoseconds that a cache line took to the other core and back, just before. */
  readonly lineNs?: number;
  /** The same in a word: lines travel quickly, or not. */
  readonly lines?: "near" | "far";
  /** What the sides were told, where it matters to who repeats it. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** What V8 alone takes of it, in the same unit: no ring in TypeScript can be better. */
  readonly limit?: number;
  readonly peers: readonly PeerResult[];
}

/** What a row stands beside. */
export interface RowPeer {
  readonly name: string;
  readonly sample: Sample;
  /** See {@linkcode PeerResult.wanted}. */
  readonly wanted?: number;
}

/** What is to be measured. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly better: Better;
  readonly settings?: Readonly<Record<string, string | number>>;
  /** See {@linkcode Measurement.limit}. */
  readonly limit?: number;
  /** Whether each sample warms up by itself; if not, a first turn is not counted. */
  readonly warmsUp?: boolean;
  readonly ours: Sample;
  readonly peers: readonly RowPeer[];
}

/** What all areas of the bench are told. */
export interface BenchOptions {
  /** How long one sample is, relative to a full one. */
  readonly scale: number;
  /** Whether to run peers beside us. */
  readonly peers: boolean;
  /** Whether a row of this name is to be measured: what it needs may take long to prepare. */
  readonly isAsked: (name: string) => boolean;
  /** Measures a row, in turns, and reports it. */
  readonly measure: (row: Row) => Promise<void>;
}

/** The middle value; of an even number the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >>> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median and range. */
export function spreadOf(values: readonly number[]): Required<Spread> {
  return { value: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** One ratio: above 1 where ours is better. */
export function ratioOf(better: Better, ours: number, peer: number): number {
  return better === "more" ? ours / peer : peer / ours;
}

/** Our median and range beside each peer's, with the ratios taken turn by turn. */
export function compare(
  better: Better,
  ours: readonly number[],
  peers: ReadonlyMap<string, readonly number[]>,
): Required<Spread> & { peers: PeerResult[] } {
  const results = [...peers].map(([name, values]) => ({
    name,
    ...spreadOf(values),
    ratio: spreadOf(values.map((value, turn) => ratioOf(better, ours[turn], value))),
  }));
  return { ...spreadOf(ours), peers: results };
}

/**
 * Measure in turns, ours, peer, ours, peer ..., since the machine drifts: ratios within a turn hold
 * where absolute figures do not.
 *
 * @param turns How many turns count.
 * @param progress Told before each sample which it is.
 */
export async function measureInTurns(
  { better, ours, peers, warmsUp = false }: Pick<Row, "better" | "ours" | "peers" | "warmsUp">,
  turns: number,
  progress: (done: number, total: number) => void = () => {},
): Promise<Required<Spread> & { peers: PeerResult[] }> {
  const own: number[] = [];
  const others = new Map(peers.map(({ name }) => [name, [] as number[]]));
  const first = warmsUp ? 0 : -1;
  const total = (turns - first) * (1 + peers.length);
  let done = 0;
  for (let turn = first; turn < turns; turn++) {
    progress(done++, total);
    const value = await ours();
    if (turn >= 0) own.push(value);
    for (const { name, sample } of peers) {
      progress(done++, total);
      const value = await sample();
      if (turn >= 0) others.get(name)!.push(value);
    }
  }
  const found = compare(better, own, others);
  const wanted = new Map(peers.map(({ name, wanted }) => [name, wanted]));
  return {
    ...found,
    peers: found.peers.map((peer) => ({ ...peer, wanted: wanted.get(peer.name) })),
  };
}
