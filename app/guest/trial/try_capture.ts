import type { CapturedFrame } from "../../capture/capture.ts";
import { BURST_DEFAULT } from "../../ring/burst.ts";
import type { FunctionTrial, SentFrame, TriedFrame } from "./function_trial.ts";

/** Frames that come by one port within this time, in nanoseconds, are a burst. */
const BURST_NS = 100_000n;

/** A burst of a capture, and what functions have done to it. */
export interface CaptureStep {
  /** The frames of the capture. */
  readonly given: readonly CapturedFrame[];
  /** What became of each; undefined for a frame that no mbuf has room for. */
  readonly tried: readonly (TriedFrame | undefined)[];
  /** What was sent, in the order of time: of frames of the capture the time is theirs. */
  readonly sent: readonly CapturedFrame[];
  /** How many of the frames that were sent are made by functions. */
  readonly made: number;
}

/** Let the frames of a capture come, burst by burst. `next` gives a frame, undefined at the end. */
export function* tryCapture(
  trial: FunctionTrial,
  next: () => CapturedFrame | undefined,
): Generator<CaptureStep> {
  let frame = next();
  if (frame === undefined) return;
  const start = frame.time;
  while (frame !== undefined) {
    const [first, given]: [CapturedFrame, CapturedFrame[]] = [frame, []];
    let error: { cause: unknown } | undefined;
    while (frame !== undefined && isWith(first, frame) && given.length < BURST_DEFAULT) {
      given.push(frame);
      try {
        frame = next();
      } catch (cause) { // frames that were read before it are tried before
        frame = undefined;
        error = { cause };
      }
    }
    yield tryBurst(trial, start, given);
    if (error) throw error.cause;
  }
}

/** Whether a frame is in the same burst as the first one. */
function isWith(first: CapturedFrame, { port, time }: CapturedFrame): boolean {
  return port === first.port && time >= first.time && time - first.time < BURST_NS;
}

function tryBurst(
  trial: FunctionTrial,
  start: bigint,
  given: readonly CapturedFrame[],
): CaptureStep {
  const [{ port, time }] = given;
  const fitting = given.filter(({ bytes }) => bytes.length <= trial.frameMax);
  const first = trial.given;
  const before = trial.passUntil(Number(time - start));
  const { frames, sent } = trial.run(port, fitting.map(({ bytes }) => bytes));
  const all = [...before, ...sent].map(({ port, bytes, frame, at }: SentFrame) => {
    const from = frame === undefined ? undefined : fitting[frame - first];
    const lost = from ? from.wireBytes - from.bytes.length : 0; // the capture has cut it off
    return {
      ...{ bytes, port, wireBytes: bytes.length + lost },
      time: from?.time ?? start + BigInt(Math.round(at * 1e6)),
    };
  });
  return {
    given,
    tried: given.map((frame) => frames[fitting.indexOf(frame)]),
    sent: all.sort((a, b) => a.time < b.time ? -1 : a.time > b.time ? 1 : 0),
    made: [...before, ...sent].filter(({ frame }) => frame === undefined).length,
  };
}
