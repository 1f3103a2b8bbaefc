import { CulvertError, UsageError } from "../../ffi/error.ts";
import { COMMAND, CommandWord } from "../lcore/command.ts";
import type { IdleMode } from "../lcore/idle.ts";
import { type Lcore, LcoreWorker } from "../lcore/lcore.ts";
import { WakeableTimer } from "../lcore/wakeable_timer.ts";
import { RegionNotReadyError } from "../memory/region.ts";
import { AskedToLeaveError, Attachment, hostPeerOf } from "./attachment.ts";
import type { Interrupts } from "./interrupts.ts";
import type { GuestLcoreInit, VirtualPortInit } from "./lcore_worker.ts";
import { ANSWERING_MODES } from "./functions/mod.ts";
import { pairPorts, parsePortMask } from "./port_map.ts";
import { openRegionLink, type RegionLink, type RegionSource } from "./region_link.ts";
import { Statistics } from "./statistics.ts";
import { GUEST_COUNTER } from "./virtual_port.ts";

/** What a guest is asked to do; see `culvert guest --help`. */
export interface GuestOptions {
  /** Where the region is. */
  readonly source: RegionSource;
  /** The place in the region that it claims, from 0. */
  readonly guest: number;
  /** Cores to pin lcores to, one each; a core that no port is left for stays idle. */
  readonly cores: readonly number[];
  /** A key of `MODES`. */
  readonly mode: string;
  /** Whether l2fwd rewrites MAC addresses; other modes do not ask. */
  readonly macUpdating: boolean;
  /** Ports to use, in hexadecimal, as `-p` has it; all if there is none. */
  readonly portMask?: string;
  /** Pairs, as `--portmap` has them: `(0,1)(2,3)`; neighbours if there are none. */
  readonly portMap?: string;
  /** Ports that one lcore polls at most. */
  readonly portsPerLcore?: number;
  /** Seconds between two tables; 0 for none. */
  readonly statsPeriod: number;
  /** Frames of this many bytes are made by txonly. */
  readonly txBytes: number;
  /** What an lcore does in turns that find nothing. */
  readonly idle: IdleMode;
  /** Frames that are moved at a time. */
  readonly burst: number;
}

/** An lcore of a guest. */
class GuestLcoreWorker extends LcoreWorker<GuestLcoreInit, void> {}

const BEAT_MS = 100;
const WAIT_MS = 100;
/** A host that is restarting has the region half-built for a moment. */
const PATIENCE_MS = 3000;
/** A device that is to be unplugged should be gone after this time; a guest kernel takes 5 s and more. */
const UNPLUG_MS = 30_000;

/**
 * Forward frames until `signal` says stop. When the host goes away or starts anew, attach again.
 *
 * @param lcoreUrl The module of the lcores.
 * @param log Told what happens, a line at a time.
 * @throws {CulvertError} if the region is not sound or the options do not fit it.
 */
export async function runGuest(
  options: GuestOptions,
  lcoreUrl: URL,
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<void> {
  const workers: GuestLcoreWorker[] = [];
  try {
    await forwardAgainAndAgain(
      options,
      () => {
        if (workers.length > 0) return workers;
        workers.push(...options.cores.map((core) => new GuestLcoreWorker(lcoreUrl, core)));
        return workers;
      },
      signal,
      log,
    );
  } finally {
    for (const worker of workers) worker.close();
  }
}

/** @param load Gives the lcores' Workers, always the same: loading them takes a second and more in a VM. */
async function forwardAgainAndAgain(
  options: GuestOptions,
  load: () => readonly GuestLcoreWorker[],
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<void> {
  for (let patience = PATIENCE_MS; !signal.aborted; patience = Infinity) {
    const link = await waitForRegion(options, signal, log);
    if (!link) return;
    // Loaded before the host is told that we are there: from then on frames wait for them.
    const workers = load();
    let wasAskedToLeave = false;
    try {
      await Promise.all(workers.map((worker) => worker.ready));
      const claimed = await claimPatiently(link, options, patience, signal, log);
      if (claimed) await runAttached(claimed, link, options, workers, signal, log);
      wasAskedToLeave = claimed?.attachment.isAskedToLeave ?? !signal.aborted;
    } finally {
      link.close();
    }
    if (wasAskedToLeave) await untilGone(link, signal);
  }
}

function nameOf({ source }: GuestOptions): string {
  return "region" in source ? source.region : `PCI ${source.pci}`;
}

/** The region, once there is one; undefined if we are told to stop before. */
async function waitForRegion(
  { source }: GuestOptions,
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<RegionLink | undefined> {
  for (let told = false; !signal.aborted; told = true) {
    const link = openRegionLink(source, log);
    if (link) {
      if ("pci" in source) log(link.description);
      return link;
    }
    if (!told) {
      const what = "region" in source ? `region ${source.region}` : `ivshmem device ${source.pci}`;
      log(`waiting for ${"region" in source ? "a host of " : ""}${what}`);
    }
    await sleep(WAIT_MS);
  }
}

/** The region's device is about to be unplugged: do not touch it until it is gone, or stays after all. */
async function untilGone(link: RegionLink, signal: AbortSignal): Promise<void> {
  for (const start = performance.now(); !signal.aborted && link.isPlugged?.();) {
    if (performance.now() - start > UNPLUG_MS) return;
    await sleep(WAIT_MS);
  }
}

async function runAttached(
  { attachment, interrupts }: Claimed,
  link: RegionLink,
  options: GuestOptions,
  workers: readonly GuestLcoreWorker[],
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<void> {
  const command = CommandWord.create();
  try {
    const ports = virtualPorts(attachment);
    const plan = planLcores(options, ports);
    const lcores = plan.map(({ init }, i) =>
      workers[i].run(command, {
        region: attachment.memory.handle,
        geometry: attachment.geometry,
        lease: attachment.lease,
        lcore: i,
        interrupts,
        isNotified: attachment.isNotified,
        ...init,
      }, true)
    );
    const names = ports.map(({ number, name }) => `${number} ${name}`).join(", ");
    log(
      `forwarding (${options.mode}) on core ${
        plan.map((p) => p.core).join(", ")
      }, ports: ${names}` +
        (interrupts && attachment.isNotified ? "" : ", no doorbell"),
    );
    await follow(attachment, link, lcores, ports, options, signal, command);
    log(
      signal.aborted
        ? "stopping"
        : attachment.isAskedToLeave
        ? "asked to leave"
        : attachment.isTakenForDead
        ? "the host had given us up"
        : "the host is gone or has started anew",
    );
    log(summary(ports));
  } finally {
    await attachment.leave();
  }
}

/** A place, and how to be woken there and to wake the host. */
interface Claimed {
  readonly attachment: Attachment;
  readonly interrupts?: Interrupts;
}

/**
 * Claim a place. A region that is not sound may be one that its host is just building. A guest waits as
 * long as it takes if it was attached before, or if a server keeps the region for a host to come.
 *
 * @returns undefined if we are told to stop before, or to let go of a device that is to be unplugged, or
 * if the region has to be opened anew.
 */
async function claimPatiently(
  link: RegionLink,
  options: GuestOptions,
  patience: number,
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<Claimed | undefined> {
  const start = performance.now();
  const wantsMbufs = options.mode === "txonly";
  const name = nameOf(options);
  for (let told = ""; !signal.aborted && !link.isCutOff;) {
    link.poll();
    const interrupts = link.interrupts(hostPeerOf(link.memory));
    try {
      const attachment = await Attachment.claim(
        link.memory,
        name,
        options.guest,
        wantsMbufs,
        link.peer,
        interrupts !== undefined,
      );
      return { attachment, interrupts };
    } catch (error) {
      if (!(error instanceof CulvertError)) throw error;
      const mayBecomeReady = error instanceof RegionNotReadyError && link.peer !== undefined;
      if (error instanceof AskedToLeaveError && link.isPlugged) return undefined;
      const isWaiting = mayBecomeReady || error instanceof AskedToLeaveError;
      if (!isWaiting && performance.now() - start > patience) throw error;
      const { message } = error;
      if (message !== told) log(`waiting for the host: ${message}`);
      told = message;
      await sleep(WAIT_MS);
    }
  }
}

function virtualPorts(attachment: Attachment): VirtualPortInit[] {
  const bytes = GUEST_COUNTER.COUNT * 8;
  const buffer = new SharedArrayBuffer(bytes * attachment.channels.length);
  return attachment.channels.map(({ portName, mac, place }, number) => ({
    number,
    name: portName,
    mac,
    place,
    counters: new Float64Array(buffer, number * bytes, GUEST_COUNTER.COUNT),
  }));
}

/** One lcore that is to be started, by {@linkcode planLcores}. */
export interface LcorePlan {
  /** The core that it is pinned to. */
  readonly core: number;
  /** Its lanes, and what the options tell it. The rest is the attachment's to say. */
  readonly init: Pick<
    GuestLcoreInit,
    "mode" | "macUpdating" | "txBytes" | "idle" | "burst" | "lanes"
  >;
}

/**
 * Which core polls which ports.
 *
 * @throws {UsageError} if there are more ports than `-q` allows the cores to poll.
 */
export function planLcores(options: GuestOptions, ports: readonly VirtualPortInit[]): LcorePlan[] {
  const enabled = parsePortMask(options.portMask, ports.length);
  const pairs = ANSWERING_MODES.includes(options.mode)
    ? new Map(enabled.map((port) => [port, port]))
    : pairPorts(enabled, options.portMap);
  const lanes = [...pairs].map(([from, to]) => ({ from: ports[from], to: ports[to] }));
  const each = options.portsPerLcore ?? Math.ceil(lanes.length / options.cores.length);
  if (each * options.cores.length < lanes.length) {
    throw new UsageError(
      `Cannot poll ${lanes.length} ports as -q ${each} allows ${options.cores.length} cores ` +
        `${each * options.cores.length}: name more cores (-l) or raise -q`,
    );
  }
  const { mode, macUpdating, txBytes, idle, burst } = options;
  return options.cores
    .map((core, i) => ({ core, lanes: lanes.slice(i * each, (i + 1) * each) }))
    .filter(({ lanes }) => lanes.length > 0)
    .map(({ core, lanes }) => ({ core, init: { mode, macUpdating, txBytes, idle, burst, lanes } }));
}

/** Keep house while the lcores forward; returns when they have returned. */
async function follow(
  attachment: Attachment,
  link: RegionLink,
  lcores: readonly Lcore<void>[],
  ports: readonly VirtualPortInit[],
  options: GuestOptions,
  signal: AbortSignal,
  command: CommandWord,
): Promise<void> {
  const statistics = new Statistics(ports);
  const done = Promise.all(lcores.map((lcore) => lcore.done));
  const pause = new WakeableTimer();
  let isDone = false;
  done.catch(() => {}).finally(() => {
    isDone = true;
    pause.wake();
  });
  const stop = () => command.value = COMMAND.STOP;
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  let shown = performance.now();
  try {
    for (;;) {
      await pause.wait(BEAT_MS);
      if (isDone) break;
      link.poll();
      attachment.tellPeer(link.peer, link.reconnected);
      if (!attachment.beat() || link.hostHasLeft || attachment.isAskedToLeave) stop();
      if (options.statsPeriod === 0) continue;
      if (performance.now() - shown < options.statsPeriod * 1000) continue;
      shown = performance.now();
      console.log(statistics.table());
    }
    await done;
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
    await Promise.allSettled(lcores.map((lcore) => lcore.done));
    command.close();
  }
}

function summary(ports: readonly VirtualPortInit[]): string {
  const total = (counter: number) => ports.reduce((sum, p) => sum + p.counters[counter], 0);
  const rung = total(GUEST_COUNTER.NOTIFIED);
  return `received ${total(GUEST_COUNTER.RX)} frames, sent ${total(GUEST_COUNTER.TX)}, ` +
    `dropped ${total(GUEST_COUNTER.DROPPED)}` + (rung > 0 ? `; ${rung} doorbells rung` : "");
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
