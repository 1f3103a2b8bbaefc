import type { TrialResult } from "../gen/gen_options.ts";
import { lossOf, offeredRate, type SearchStep } from "../gen/search.ts";

/** Bytes of a frame on a wire that no program sees: preamble, FCS, gap between frames. */
const WIRE_BYTES = 8 + 4 + 12;

/** What became of a trial's frames, for people. */
export function genReport(result: TrialResult): string {
  const { sent, bytes, seconds, received, reordered, duplicated, others, refused } = result;
  const gigabits = (bytes + sent * WIRE_BYTES) * 8 / seconds / 1e9;
  const lines = [
    `offered    ${mpps(offeredRate(result))}, ${gigabits.toFixed(3)} Gb/s on a wire, ` +
    `for ${seconds.toFixed(1)} s`,
    `sent       ${sent}`,
    `received   ${received}`,
    `lost       ${sent - received} (${percent(lossOf(result))})` +
    (refused > 0 ? `, ${refused} of them refused by the kernel` : ""),
    `reordered  ${reordered}`,
    `duplicated ${duplicated}`,
  ];
  if (others > 0) lines.push(`others     ${others} frames that are not ours`);
  const { latency } = result;
  if (latency) {
    const { min, p50, p99, p999, max } = latency;
    lines.push(
      `latency    min ${time(min)}, p50 ${time(p50)}, p99 ${time(p99)}, p99.9 ${time(p999)}, ` +
        `max ${time(max)}`,
    );
  }
  return lines.join("\n");
}

/** A trial of a search, on one line. */
export function stepText({ result, isPassed }: SearchStep): string {
  const lost = isPassed && result.sent === result.received ? "nothing" : percent(lossOf(result));
  return `${isPassed ? "pass" : "fail"}  offered ${mpps(offeredRate(result))}, lost ${lost}`;
}

function mpps(rate: number): string {
  return `${(rate / 1e6).toFixed(4)} Mpps`;
}

function percent(part: number): string {
  return `${(part * 100).toFixed(4)} %`;
}

function time(ns: number): string {
  const [unit, name] = ns < 1e3 ? [1, "ns"] : ns < 1e6 ? [1e3, "us"] : [1e6, "ms"];
  return `${(ns / unit).toPrecision(3)} ${name}`;
}
