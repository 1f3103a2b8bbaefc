import { descriptorsOf } from "../kit/processes.ts";

/** What a process takes of the machine at one moment. */
export interface Sample {
  /** Seconds since the soak began. */
  readonly at: number;
  readonly role: string;
  readonly pid: number;
  /** Memory of its own, not shared with others: MiB. */
  readonly memory: number;
  readonly descriptors: number;
  /** The server's process then. */
  readonly server?: number;
}

/** Growth of memory that is no leak: factor, and MiB beside it. V8 collects when it likes. */
const GROWTH = { FACTOR: 1.25, MIB: 12 } as const;

/** Descriptors that may come and go: a file being read, a process just looked at. */
const DESCRIPTORS_SPARE = 3;

/** Descriptors that a member keeps of a server before: its socket, the memory, some vectors. */
const DESCRIPTORS_KEPT = 14;

/** Seconds in which all have found another server. */
const RECONNECTED = 3;

/** Fewest samples of a role that tell anything of its memory. */
const SAMPLES_MIN = 16;

/** Seconds in which a process still warms up. */
const WARM_UP = 20;

/** Look at a process; undefined if it is gone. */
export function sample(at: number, role: string, pid: number): Sample | undefined {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    const memory = Number(/^RssAnon:\s+(\d+)/m.exec(status)![1]) / 1024;
    return { at, role, pid, memory, descriptors: descriptorsOf(pid) };
  } catch {
    return undefined;
  }
}

/** What has grown, in words: descriptors of a process, memory of all processes of a role. */
export function growthOf(samples: readonly Sample[]): string[] {
  const problems: string[] = [];
  for (const [pid, life] of Map.groupBy(samples, ({ pid }) => pid)) {
    const who = `${life[0].role} (pid ${pid})`;
    problems.push(...descriptorGrowth(who, life));
    const warm = life.filter(({ at }) => at - life[0].at >= WARM_UP);
    problems.push(...memoryGrowth(who, warm));
  }
  for (const [role, all] of Map.groupBy(samples, ({ role }) => role)) {
    problems.push(...memoryGrowth(`all that was ${role}`, all));
  }
  return problems;
}

/**
 * Compare the first sample with the last, under each server. A member that finds another server
 * keeps descriptors of the one before until its lcores attach again: that much more is allowed,
 * once.
 */
function descriptorGrowth(who: string, life: readonly Sample[]): string[] {
  const spans = serverSpans(life).map((span) => span.map(({ descriptors }) => descriptors));
  const grown = (before: number, after: number, spare: number) =>
    after <= before + spare ? [] : [`${who}: ${before} descriptors became ${after}`];
  const least = Math.min(...spans.map(([first]) => first));
  return [
    ...spans.flatMap((span) => grown(span[0], span.at(-1)!, DESCRIPTORS_SPARE)),
    ...spans.slice(-1).flatMap((span) =>
      grown(least, span.at(-1)!, DESCRIPTORS_KEPT + DESCRIPTORS_SPARE)
    ),
  ];
}

/** A life under one server after the other, each from when it has been found. */
function serverSpans(life: readonly Sample[]): Sample[][] {
  const spans: Sample[][] = [];
  let begun = life[0];
  for (const now of life) {
    if (now.server !== begun.server) begun = now;
    const isFirst = begun === life[0];
    if (!isFirst && now.at - begun.at < RECONNECTED) continue;
    const span = spans.at(-1);
    if (span && span[0].server === now.server) span.push(now);
    else spans.push([now]);
  }
  return spans;
}

/** Compare the first with the last quarter. */
function memoryGrowth(who: string, samples: readonly Sample[]): string[] {
  if (samples.length < SAMPLES_MIN) return [];
  const quarter = samples.length >> 2;
  const before = median(samples.slice(0, quarter).map(({ memory }) => memory));
  const after = median(samples.slice(-quarter).map(({ memory }) => memory));
  if (after <= before * GROWTH.FACTOR + GROWTH.MIB) return [];
  return [`${who}: ${before.toFixed(0)} MiB became ${after.toFixed(0)} MiB`];
}

/** The value in the middle. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value that a share of all do not exceed; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN;
}
