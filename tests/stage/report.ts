import { addJudgements, type Judgement } from "./accounts.ts";
import type { Wrongs } from "../kit/flow_checker.ts";
import { promisesVerdict } from "../kit/verdict.ts";
import { quantile } from "./watch.ts";

/** A second of a run. */
export interface Second {
  /** Seconds since the run began. */
  readonly at: number;
  /** Frames that arrived in it. */
  readonly frames: number;
  /** Frames found missing in it. */
  readonly missing: number;
  /** MiB of each process's own memory, by role. */
  readonly memory: Readonly<Record<string, number>>;
  readonly descriptors: Readonly<Record<string, number>>;
  readonly mbufsFree: number;
}

/** A fault, and what came of it. */
export interface FaultRecord {
  readonly name: string;
  /** When it struck, in seconds since the run began. */
  readonly at: number;
  /** Seconds from the restart until frames flowed again each way; null if they did not. */
  readonly recovery: number | null;
  /** Milliseconds that a bare Deno took to start then: how busy the machine was. */
  readonly bare: number;
  readonly judgement: Judgement;
  /** Of the frames lost with the host: those sent before the fault, which were under way. */
  readonly underWay: number;
}

/** What a run came to. */
export interface StageReport {
  readonly seed: number;
  readonly minutes: number;
  readonly rate: number;
  readonly mtu: number;
  readonly sent: number;
  readonly received: number;
  readonly bytes: number;
  readonly wrongs: Wrongs;
  readonly account: Judgement;
  /** Counted losses by reason. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly faults: readonly FaultRecord[];
  readonly seconds: readonly Second[];
  /** Promises that were broken, in words: none if all is well. */
  readonly broken: readonly string[];
}

/** The report for people. */
export function reportText(report: StageReport): string {
  const { sent, received, bytes, wrongs, account, faults, broken } = report;
  const { corrupted, duplicated, reordered, misdelivered } = wrongs;
  const reasons = Object.entries(report.reasons).sort(([, a], [, b]) => b - a);
  return [
    `${report.minutes.toFixed(1)} minutes of faults, seed ${report.seed}`,
    `  frames carried    ${number(received)} of ${number(sent)}, ${(bytes / 1e9).toFixed(2)} GB`,
    `  wrong             corrupted ${corrupted}, duplicated ${duplicated}, ` +
    `reordered ${reordered}, misdelivered ${misdelivered}`,
    `  lost              ${number(account.lost)} (${
      (100 * account.lost / Math.max(sent, 1)).toFixed(3)
    } %)`,
    `    counted         ${number(account.byHost + account.byKernel + account.byUs)}`,
    ...reasons.map(([reason, frames]) => `      ${number(frames)}: ${reason}`),
    `      ${number(account.byKernel)}: by the kernel: nobody listened on the interface`,
    `      ${number(account.byUs)}: at the receiver, whose socket had no room`,
    `    with a host     ${number(account.withHost)}: ` +
    `${number(faults.reduce((sum, { underWay }) => sum + underWay, 0))} were under way when it ` +
    `went, the others were sent while none was there`,
    `    unaccounted     ${number(account.unaccounted)}`,
    `  faults survived   ${
      faults.filter(({ recovery }) => recovery !== null).length
    } of ${faults.length}` +
    `; seconds until frames flowed again:`,
    ...faultLines(faults),
    ...broken.map((promise) => `  BROKEN: ${promise}`),
  ].join("\n");
}

/** How often each fault came, and seconds until frames flowed again; the last line is of all. */
export function faultLines(faults: readonly FaultRecord[]): string[] {
  const line = (name: string, times: number[]) => {
    const [p50, p99, max] = [0.5, 0.99, 1].map((share) => quantile(times, share).toFixed(2));
    return `    ${name.padEnd(33)}${`${times.length}`.padStart(5)}   ` +
      `p50 ${p50}   p99 ${p99}   max ${max}`;
  };
  const timesOf = (list: readonly FaultRecord[]) =>
    list.map(({ recovery }) => recovery).filter((time) => time !== null);
  const kinds = [...Map.groupBy(faults, ({ name }) => name)].sort(([a], [b]) => a < b ? -1 : 1);
  return [...kinds.map(([name, list]) => line(name, timesOf(list))), line("all", timesOf(faults))];
}

/** The last line of a report. */
export function verdict({ broken, seed, faults }: StageReport): string {
  return promisesVerdict(broken.length, seed, `${faults.length - 1} faults, `).line;
}

/** `1,234,567`. */
function number(value: number): string {
  return value.toLocaleString("en-GB");
}

/** How it goes, in a line; `last` are the last seconds. */
export function progressText(
  received: number,
  faults: readonly FaultRecord[],
  last: readonly Second[],
): string {
  const { lost, withHost, unaccounted } = addJudgements(faults.map(({ judgement }) => judgement));
  const rate = last.reduce((total, { frames }) => total + frames, 0) / last.length;
  const { at = 0, memory = {}, mbufsFree = 0 } = last.at(-1) ?? {};
  const sizes = Object.entries(memory).map(([role, mib]) => `${role} ${mib.toFixed(0)}`);
  return `${clock(at)} ${number(received)} frames, ${(rate / 1000).toFixed(1)} k/s; ` +
    `${faults.length - 1} faults; lost ${number(lost)}, of these with a host ` +
    `${number(withHost)}, unaccounted ${unaccounted}; mbufs free ${mbufsFree}; ` +
    `MiB: ${sizes.join(", ")}`;
}

/** `1:02:03`. */
export function clock(seconds: number): string {
  const two = (value: number) => `${Math.floor(value)}`.padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(seconds / 60 % 60)}:${two(seconds % 60)}`;
}
