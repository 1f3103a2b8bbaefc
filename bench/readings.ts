import type { BenchOptions, Row, Sample } from "./measurement.ts";

/** What stands beside us, measured as we are. */
export interface ReadPeer {
  readonly name: string;
  readonly take: () => Promise<number[]>;
  /** Whether what is wanted of a reading is wanted beside this peer. */
  readonly isAim: boolean;
}

/** One measurement a turn, and a row for each of its readings. */
export async function measureReadings(
  { peers, measure }: BenchOptions,
  row: Pick<Row, "unit" | "settings"> & { readonly of: (reading: string) => string },
  readings: Readonly<Record<string, { wanted?: number }>>,
  ours: () => Promise<number[]>,
  beside: readonly ReadPeer[],
): Promise<void> {
  const names = Object.keys(readings);
  const own = readingsOf(ours, names.length);
  const others = beside.map(({ name, take, isAim }) => {
    return { name, isAim, samples: readingsOf(take, names.length) };
  });
  for (const [i, reading] of names.entries()) {
    const rowPeers = others.map(({ name, isAim, samples }) => {
      return { name, sample: samples[i], ...isAim && readings[reading] };
    });
    await measure({
      ...row,
      name: row.of(reading),
      better: "less",
      warmsUp: true,
      ours: own[i],
      peers: peers ? rowPeers : [],
    });
  }
}

/**
 * Samples of rows that one measurement serves: the first row to ask in a turn takes it, the others
 * read what it found in that turn.
 *
 * @param take Measures once: one value for each of the rows.
 * @param count How many rows there are.
 */
export function readingsOf(take: () => Promise<readonly number[]>, count: number): Sample[] {
  const taken: (readonly number[])[] = [];
  return Array.from({ length: count }, (_, reading) => {
    let turn = 0;
    return async () => {
      if (turn === taken.length) taken.push(await take());
      return taken[turn++][reading];
    };
  });
}
