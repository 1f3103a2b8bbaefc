/**
 * Captures at all ports of a host, and not, in short turns; says how many frames an interface has
 * sent meanwhile: `capture_switch.ts REGION INTERFACE SNAP TURN_MS CORE`. Each line of its input is
 * a number of turns; each answer is a JSON object, see {@linkcode Turns}.
 *
 * A turn without a capture, one with it, and one more without, which is not counted: there what was
 * recorded is read. So whoever reads takes nothing from those who are measured.
 *
 * @module
 */
import { check } from "../ffi/error.ts";
import { shim } from "../ffi/shim.ts";
import { SESSIONS } from "../app/capture/capture_area.ts";
import { CaptureSession } from "../app/capture/capture_session.ts";
import { isProcess, openCaptureArea } from "../app/region/capture_file.ts";

/** What was counted in some turns. */
export interface Turns {
  /** Million frames a second without a capture. */
  readonly off: number;
  /** With it. */
  readonly on: number;
  /** Frames that were sent with it. */
  readonly frames: number;
  /** Records that were written meanwhile. */
  readonly records: number;
  /** Those for which there was no room. */
  readonly lost: number;
}

const [region, name, snap, turnMs, core] = Deno.args;
check(shim.shim_thread_pin(Number(core)), `pin to core ${core}`);
const { area, reserve } = openCaptureArea(region);
const points = area.describe().map(({ point }) => point);
const { u32 } = area.memory;
const session = await CaptureSession.claim(
  area,
  points,
  Number(snap),
  Deno.pid,
  isProcess,
  reserve,
);
const number = Array.from({ length: SESSIONS }, (_, at) => at)
  .find((at) => u32[area.ownerWord(at)] === Deno.pid)!;
/** Reads each word of each record. */
let words = 0;
const read = () => {
  session.drain((u32, at, length) => {
    for (let i = at; i < at + length / 4; i++) words ^= u32[i];
  }, () => {});
};

/** Switch it on; the session's own `step` does that, too. */
const isOn = (on: boolean) => {
  if (on) return session.step();
  for (const point of points) Atomics.and(u32, area.switchWord(point), ~(1 << number));
};

const sent = () => Number(Deno.readTextFileSync(`/sys/class/net/${name}/statistics/tx_packets`));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Frames and milliseconds of one turn. */
async function turn(): Promise<[frames: number, ms: number]> {
  const [before, start] = [sent(), performance.now()];
  await pause(Number(turnMs));
  return [sent() - before, performance.now() - start];
}

async function measure(turns: number): Promise<Turns> {
  const sums = { off: [0, 0], on: [0, 0] };
  const counted = (what: "seen" | "lost") =>
    points.reduce((sum, _, at) => sum + session.counted(at)[what], 0);
  const [seen, lost] = [counted("seen"), counted("lost")];
  for (let i = 0; i < turns; i++) {
    for (const how of i % 2 === 0 ? ["off", "on"] as const : ["on", "off"] as const) {
      isOn(how === "on");
      const [frames, ms] = await turn();
      isOn(false);
      sums[how][0] += frames;
      sums[how][1] += ms;
    }
    read();
    await pause(Number(turnMs) / 2);
  }
  const rate = ([frames, ms]: number[]) => frames / ms / 1000;
  const more = counted("lost") - lost;
  return {
    off: rate(sums.off),
    on: rate(sums.on),
    frames: sums.on[0],
    records: counted("seen") - seen - more,
    lost: more,
  };
}

isOn(false);
console.log("ready");
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
for await (const line of lines) console.log(JSON.stringify(await measure(Number(line))));
