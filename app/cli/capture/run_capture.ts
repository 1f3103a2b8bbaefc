import { ShimError } from "../../../ffi/error.ts";
import { shim } from "../../../ffi/shim.ts";
import type { Filter } from "../../capture/bpf.ts";
import type { InterfaceCounts } from "../../capture/capture.ts";
import {
  type AreaPort,
  type CaptureArea,
  type CapturedPort,
  SNAP_MAX,
} from "../../capture/capture_area.ts";
import { CaptureOutput, type FileRing, type OutputFiles } from "../../capture/capture_output.ts";
import { CaptureSession } from "../../capture/capture_session.ts";
import type { DescribedInterface } from "../../capture/capture_writer.ts";
import { Recorder } from "../../capture/recorder.ts";
import { remove } from "../../linux/files.ts";
import { createFile, fileAt } from "../../linux/written_file.ts";
import { DROPS } from "../../port/counters.ts";
import { isProcess, openCaptureArea, type OpenedCapture } from "../../region/capture_file.ts";
import { pause } from "../pause.ts";
import { VERSION } from "../version.ts";

/** Bytes of each frame that a filter can look at, at least. */
const FILTER_BYTES = 256;

/** Milliseconds between two looks at the rings, and how full a ring is to be then. */
const PAUSE_MIN_MS = 1, PAUSE_MAX_MS = 16, FILLED = 0.25;

/**
 * Milliseconds between two turns of the event loop, which hears signals. A turn costs more than the
 * records of one look, so between turns the thread sleeps in the shim.
 */
const HEAR_MS = 100;

/**
 * Our nice level. An lcore on the same core has a lower one, and gets three times as much of it as
 * we.
 */
const NICE = 5;

/** Milliseconds between two looks for a host that has gone. */
const HOST_MS = 500;

const NO_DESCRIPTORS = new Int32Array(0);

/** What is captured, and where it goes. */
export interface CaptureOptions {
  /** The region's name or path. */
  readonly region: string;
  /** Chooses among the host's ports. */
  readonly choose: (ports: readonly CapturedPort[]) => CapturedPort[];
  /** A file, or `-` for stdout. */
  readonly path: string;
  /** Bytes of a frame that are recorded. */
  readonly snap: number;
  /** Lets frames through; all if left out. */
  readonly filter?: Filter;
  /** Frames after which the capture ends. */
  readonly count: number;
  /** Frames a second at most. */
  readonly rate: number;
  /** Files in turn. */
  readonly ring?: FileRing;
  /** Told what happens. */
  readonly say: (line: string) => void;
  /** Ends the capture. */
  readonly signal: AbortSignal;
}

/**
 * Capture until it is enough, the host ends, or nobody reads any more.
 *
 * @throws {CulvertError} if there is no such host or port, or the file cannot be written.
 */
export async function runCapture(options: CaptureOptions): Promise<void> {
  const opened = openCaptureArea(options.region);
  try {
    await captureAt(opened, options);
  } finally {
    opened.close();
  }
}

async function captureAt(opened: OpenedCapture, options: CaptureOptions): Promise<void> {
  const { region, path, snap, filter, ring, say } = options;
  const { area } = opened;
  const { generation } = area;
  const described = area.describe();
  const chosen = options.choose(described);
  const ports = chosen.map(({ point }) => point);
  const interfaces = namesOf(chosen, region);
  const copied = Math.min(SNAP_MAX, filter ? Math.max(snap, FILTER_BYTES) : snap);
  const { reserve } = opened;
  const session = await CaptureSession.claim(area, ports, copied, Deno.pid, isProcess, reserve);
  let end = "";
  try {
    const counts = (): InterfaceCounts[] =>
      ports.map((_, port) => countsOf(session, recorder, port));
    const program = `culvert ${VERSION}`;
    const about = { interfaces, snapLength: snap, program };
    const output = new CaptureOutput(path, about, FILES, counts, ring);
    const recorder = new Recorder(
      { ...options, ports, reasonText },
      area.memory.u8,
      output,
    );
    say(`captures ${interfaces.map(({ name }) => name).join(", ")} of region ${region}`);
    const watch = new PortWatch(area, generation, described, chosen, options);
    end = await follow(opened, session, recorder, output, watch);
    const sum = (name: keyof InterfaceCounts) =>
      counts().reduce((total, counted) => total + counted[name], 0);
    const beyond = sum("accepted") - sum("written");
    say(
      `${end}${sum("written")} frames captured, ${sum("lost")} of ${sum("received")} lost` +
        (options.rate < Infinity ? `, ${beyond} beyond --rate` : ""),
    );
  } finally {
    session.close();
  }
}

/** Capture until there is a reason to end; returns the reason, if it is not the user's wish. */
async function follow(
  opened: OpenedCapture,
  session: CaptureSession,
  recorder: Recorder,
  output: CaptureOutput,
  watch: PortWatch,
): Promise<string> {
  const { signal } = watch.options;
  const visit = recorder.visit.bind(recorder);
  const settle = recorder.settle.bind(recorder);
  shim.shim_thread_share(0, NICE); // if it is refused, we go on without
  const start = performance.now();
  let [drainedAt, heardAt, lookedAt, isThere] = [start, start, start, true];
  try {
    while (!signal.aborted && !recorder.isFull && isThere) {
      session.step();
      const now = performance.now();
      session.drain(visit, settle);
      output.flush();
      const pauseMs = pauseAfter(session.filled, now - drainedAt);
      shim.shim_poll(NO_DESCRIPTORS, 0, Math.round(pauseMs * 1000));
      drainedAt = now;
      if (now - heardAt < HEAR_MS) continue;
      await pause(0, signal);
      heardAt = now;
      if (now - lookedAt < HOST_MS) continue;
      [lookedAt, isThere] = [now, opened.isThere()];
      watch.look();
    }
    await session.stop(visit, settle);
    output.end();
  } catch (error) {
    const isUnread = error instanceof Deno.errors.BrokenPipe ||
      error instanceof ShimError && error.code === "EPIPE";
    if (!isUnread) throw error;
    return "nobody reads any more: ";
  }
  return isThere ? "" : "the host has ended: ";
}

/** How long to wait after a ring was found filled to a share, in so many milliseconds. */
function pauseAfter(filled: number, milliseconds: number): number {
  const due = filled > 0 ? milliseconds * FILLED / filled : PAUSE_MAX_MS;
  return Math.max(PAUSE_MIN_MS, Math.min(PAUSE_MAX_MS, due));
}

/** Tells the user that the host has other ports now: the capture goes on as it is. */
class PortWatch {
  #generation: number;
  #known: readonly number[];
  readonly #hasAll: boolean;

  /** The host had `ports` in `generation`; of these, `chosen` are captured. */
  constructor(
    private readonly area: CaptureArea,
    generation: number,
    ports: readonly CapturedPort[],
    private readonly chosen: readonly CapturedPort[],
    readonly options: CaptureOptions,
  ) {
    this.#generation = generation;
    this.#known = ports.map(({ point }) => point);
    this.#hasAll = chosen.length === ports.length;
  }

  /** Look whether the host has changed. */
  look(): void {
    const { generation } = this.area;
    if (generation === this.#generation) return;
    this.#generation = generation;
    const ports = this.area.describe();
    const now = ports.map(({ point }) => point);
    for (const { point, name } of this.chosen) {
      if (now.includes(point) !== this.#known.includes(point)) {
        this.options.say(`port ${name} is ${now.includes(point) ? "there again" : "gone"}`);
      }
    }
    const ours = this.chosen.map(({ point }) => point);
    for (const { point, name } of this.#hasAll ? ports : []) {
      if (ours.includes(point) || this.#known.includes(point)) continue;
      this.options.say(`port ${name} is new, and not in this capture: begin another one for it`);
    }
    this.#known = now;
  }
}

/** The comment of a dropped frame. The number of a reason is that of its counter. */
function reasonText(number: number): string {
  const reason = DROPS.find(({ counter }) => counter === number)?.reason ?? `reason ${number}`;
  return reason.startsWith("dropped") ? reason : `dropped: ${reason}`;
}

function countsOf(session: CaptureSession, recorder: Recorder, port: number): InterfaceCounts {
  const { seen, lost } = session.counted(port);
  return { port, received: seen, lost, ...recorder.counted(port) };
}

/**
 * Interfaces by the names of their ports; with the guest where two ports have one name, with the
 * queue where a port has several.
 */
function namesOf(ports: readonly AreaPort[], region: string): DescribedInterface[] {
  const firsts = ports.filter(({ queue = 0 }) => queue === 0);
  const isOnly = (text: (port: AreaPort) => string, port: AreaPort) =>
    firsts.filter((other) => text(other) === text(port)).length === 1;
  const forms = [
    ({ name }: AreaPort) => name,
    ({ name, guest }: AreaPort) => `${name} (guest ${guest})`,
    ({ name, guest, port }: AreaPort) => `${name} (guest ${guest}, port ${port})`,
  ];
  return ports.map((port) => {
    const queue = port.queue === undefined ? "" : `, queue ${port.queue}`;
    return {
      name: (forms.find((form) => isOnly(form, port)) ?? forms[2])(port) + queue,
      about: `region ${region}, guest ${port.guest}, port ${port.port}${queue}`,
    };
  });
}

const STDOUT = {
  /** Deno writes no memory that is shared. */
  writeSync(bytes: Uint8Array): number {
    const isShared = bytes.buffer instanceof SharedArrayBuffer;
    return Deno.stdout.writeSync(isShared ? bytes.slice() : bytes);
  },
  close() {},
};

/** Files are opened by the shim: Deno opens files below /dev, as in /dev/shm, under `-A` only. */
const FILES: OutputFiles = {
  create(path) {
    if (path === "-") return STDOUT;
    const fd = createFile(path);
    return { writeSync: fileAt(fd, path).writeSync, close: () => shim.shim_fd_close(fd) };
  },
  remove,
};
