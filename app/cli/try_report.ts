import type { CapturedFrame } from "../capture/capture.ts";
import type { TriedFrame } from "../guest/trial/function_trial.ts";
import type { CaptureStep } from "../guest/trial/try_capture.ts";

/** What `culvert try` tells: of each frame, and of all. */
export class TryReport {
  /** Frames by port: of the capture, and of those that were sent. */
  readonly #read = new Map<number, number>();
  readonly #sent = new Map<number, number>();
  #changed = 0;
  #dropped = 0;
  #failed = 0;
  #made = 0;
  #cut = 0;
  #long = 0;

  /**
   * Count a burst.
   *
   * @returns what became of each of its frames, a line each.
   */
  add({ given, tried, sent, made }: CaptureStep): string[] {
    const read = total(this.#read);
    const lines = given.map((frame, i) => {
      count(this.#read, frame.port);
      const { length } = frame.bytes;
      if (frame.wireBytes > length) this.#cut++;
      return `frame ${read + i + 1}, ${length} bytes by port ${frame.port}: ` +
        this.#fateOf(frame, tried[i]);
    });
    for (const { port } of sent) count(this.#sent, port);
    this.#made += made;
    if (made > 0) lines.push(`made ${frames(made)}`);
    return lines;
  }

  /**
   * What was counted, several lines.
   *
   * @param counters The function's counters, by name.
   * @param frameMax Bytes that a frame may have.
   */
  summary(counters: Readonly<Record<string, number>>, frameMax: number): string[] {
    const changed = this.#changed > 0 ? `; ${this.#changed} of them changed` : "";
    const lines = [
      `read ${byPort(this.#read)}`,
      `sent ${byPort(this.#sent)}${changed}`,
      `dropped ${frames(this.#dropped)}`,
    ];
    if (this.#failed > 0) lines.push(`failed ${frames(this.#failed)}: the log tells why`);
    if (this.#made > 0) lines.push(`made ${frames(this.#made)}`);
    if (this.#long > 0) {
      lines.push(`skipped ${frames(this.#long)} of more than ${frameMax} bytes: use --mtu`);
    }
    if (this.#cut > 0) lines.push(`the capture has only the start of ${frames(this.#cut)}`);
    return [...lines, ...Object.entries(counters).map(([name, n]) => `counted ${name}: ${n}`)];
  }

  #fateOf(frame: CapturedFrame, tried?: TriedFrame): string {
    if (tried === undefined) {
      this.#long++;
      return "skipped, too long";
    }
    const thrown = tried.error === undefined ? "" : ", though the function has failed";
    if (tried.bytes !== undefined) {
      const change = changeOf(frame.bytes, tried.bytes);
      if (change !== undefined) this.#changed++;
      return `sent by port ${tried.port}${change === undefined ? "" : `, ${change}`}${thrown}`;
    }
    if (tried.what === "failed") this.#failed++;
    else this.#dropped++;
    return tried.what;
  }
}

/** How a frame was changed; undefined if it was not. */
function changeOf(from: Uint8Array, to: Uint8Array): string | undefined {
  if (from.length !== to.length) return `${to.length} bytes now`;
  const places = [...from.keys()].filter((at) => from[at] !== to[at]);
  if (places.length === 0) return undefined;
  const [first, last] = [places[0], places[places.length - 1]];
  return places.length === 1
    ? `byte ${first} changed`
    : `${places.length} bytes changed, of bytes ${first} to ${last}`;
}

function count(counts: Map<number, number>, port: number): void {
  counts.set(port, (counts.get(port) ?? 0) + 1);
}

function total(counts: Map<number, number>): number {
  return [...counts.values()].reduce((sum, n) => sum + n, 0);
}

/** `3 frames: 2 by port 0, 1 by port 1`. */
function byPort(counts: Map<number, number>): string {
  const ports = [...counts].sort(([a], [b]) => a - b).map(([port, n]) => `${n} by port ${port}`);
  return frames(total(counts)) + (ports.length > 0 ? `: ${ports.join(", ")}` : "");
}

function frames(n: number): string {
  return `${n} frame${n === 1 ? "" : "s"}`;
}
