import type { RowPeer, Sample } from "./measurement.ts";

/** Makes what forwards between two ports, from now until it is disposed of. */
export type Start = () => Promise<AsyncDisposable>;

/** What stands in our place, and how many times its rate is wanted. */
export interface PeerForwarder {
  readonly start: Start;
  readonly wanted?: number;
}

/** The peers of a row, by name, each measured while it forwards; none if `isAlone`. */
export function peersOf(
  peers: Readonly<Record<string, PeerForwarder>>,
  sampleOf: (start: Start) => Sample,
  isAlone: boolean,
): RowPeer[] {
  if (isAlone) return [];
  return Object.entries(peers).map(([name, { start, wanted }]) => {
    return { name, sample: sampleOf(start), wanted };
  });
}
