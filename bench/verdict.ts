import type { Measurement } from "./measurement.ts";
import { figure } from "./results.ts";

/**
 * What a run comes to, a line each: every ratio that is not as wanted; last how many rows there
 * are, in how many comparisons we are ahead, and how many ratios are as wanted.
 *
 * @param seconds How long the run took.
 */
export function verdictLines(measurements: readonly Measurement[], seconds: number): string[] {
  const pairs = measurements.flatMap(({ name: row, peers }) =>
    peers.map((peer) => ({ row, peer }))
  );
  const aims = pairs.filter(({ peer }) => peer.wanted !== undefined);
  const missed = aims.filter(({ peer }) => peer.ratio.value < peer.wanted!);
  const ahead = pairs.filter(({ peer }) => peer.ratio.value >= 1).length;
  return [
    ...missed.map(({ row, peer: { name, ratio, wanted } }) =>
      `not as wanted: ${row}: ${figure(ratio.value)} of ${name}, wanted ${figure(wanted!)}`
    ),
    `bench: ${measurements.length} rows in ${duration(seconds)}; ahead in ${ahead} of ` +
    `${pairs.length} comparisons; ${aims.length - missed.length} of ${aims.length} as wanted`,
  ];
}

/** Seconds as a person says them: `40 s`, `12 min`. */
export function duration(seconds: number): string {
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
