/**
 * A process that notifies a host as fast as it can, for nothing: `ringer_process.ts REGION
 * SECONDS`. It prints how often it did so: each time is a write to an eventfd, a system call of its
 * own.
 *
 * With `--compare HOST_PID` it notifies by turns the host and an eventfd of its own, while others
 * keep the host busy. For each pair of turns it prints the frames that the host received from guest
 * 0's first port for each millisecond of processor time, undisturbed and disturbed, and in the end
 * the notifications a second.
 *
 * @module
 */
import { check } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { findChannel } from "../../app/channel/channel.ts";
import { openRegion } from "../../app/region/region_source.ts";
import { CHANNEL, HEADER } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { cpuMilliseconds } from "../kit/processes.ts";

/** Pairs of turns, and how often the host has to show its counters in a turn. */
const PAIRS = 5, LOOKS = 2;

const [name, seconds, , hostPid] = Deno.args;
const { memory, peer } = openRegion(name)!;
const events = peer!.poll();
if (events.some(({ kind }) => kind === "server-gone")) throw new Error("no server");
const host = peer!.others.get(memory.load(HEADER.HOST_PEER) - 1)!;

/** Ring as long as it `goesOn`; how often. */
function ring(fds: readonly number[], goesOn: () => boolean): number {
  let rung = 0;
  while (goesOn()) {
    for (let i = 0; i < 100; i++) {
      for (let at = 0; at < fds.length; at++, rung++) shim.shim_eventfd_signal(fds[at]);
    }
    peer!.poll();
  }
  return rung;
}

const hostCpu = () => cpuMilliseconds(Number(hostPid));

/** What happened in one turn, or in several. */
interface Turn {
  readonly frames: number;
  readonly rings: number;
  /** Of the host. */
  readonly cpuMilliseconds: number;
  readonly milliseconds: number;
}

function compare(): void {
  const nobody = host.map(() => check(shim.shim_eventfd(), "make an eventfd"));
  const { place } = findChannel(Region.attach(memory, name), 0, 0);
  const counters = new Float64Array(
    memory.u32.buffer,
    memory.u32.byteOffset + place.channel + CHANNEL.COUNTERS * 4,
  );
  const received = () => counters[COUNTER.RX];
  const turn = (fds: readonly number[]): Turn => {
    let shown = received();
    const untilShown = () => received() === shown;
    ring(fds, untilShown); // from one look of the host at its counters to another
    const [frames, cpu, start] = [received(), hostCpu(), performance.now()];
    let rings = 0;
    for (let look = 0; look < LOOKS; look++) {
      shown = received();
      rings += ring(fds, untilShown);
    }
    return {
      frames: received() - frames,
      rings,
      cpuMilliseconds: hostCpu() - cpu,
      milliseconds: performance.now() - start,
    };
  };
  const perCpu = ({ frames, cpuMilliseconds }: Turn) => (frames / cpuMilliseconds).toFixed(0);
  let rings = 0, milliseconds = 0;
  for (let pair = 0; pair < PAIRS; pair++) {
    const isFirst = pair % 2 === 0; // each goes first every other time
    const [one, other] = isFirst ? [turn(nobody), turn(host)] : [turn(host), turn(nobody)];
    const [quiet, attacked] = isFirst ? [one, other] : [other, one];
    console.log(perCpu(quiet), perCpu(attacked));
    rings += attacked.rings;
    milliseconds += attacked.milliseconds;
  }
  console.log((rings / milliseconds * 1000).toFixed(0));
}

if (hostPid === undefined) {
  const end = performance.now() + Number(seconds) * 1000;
  console.log(ring(host, () => performance.now() < end));
} else compare();
