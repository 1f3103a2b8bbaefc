/** What a task says in its last line, which is all that `deno task proof` shows of it. */
export interface Verdict {
  /** Whether all is well. */
  readonly isGood: boolean;
  /** `GOOD: ...` or `BAD: ...`. */
  readonly line: string;
}

/** Of so many, how many did what: `[7, 7, "changes were noticed"]`. */
export type Count = readonly [good: number, all: number, did: string];

/** All is well if, of each kind, all did what they should, and there were some. */
export function countsVerdict(...counts: readonly Count[]): Verdict {
  const said = counts.map(([good, all, did]) => `${good} of ${all} ${did}`).join(", ");
  return verdict(counts.every(([good, all]) => good === all && all > 0), said);
}

/** All is well if no promise was broken. Who sees that one was can try again with the same seed. */
export function promisesVerdict(broken: number, seed: number, before = ""): Verdict {
  return broken === 0
    ? verdict(true, `${before}every promise was kept (seed ${seed})`)
    : verdict(false, `${broken} promises were broken; repeat with --seed ${seed}`);
}

function verdict(isGood: boolean, said: string): Verdict {
  return { isGood, line: `${isGood ? "GOOD" : "BAD"}: ${said}` };
}
