import type { Log } from "../linux/log.ts";
import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { CaptureArea } from "../capture/capture_area.ts";
import { CaptureLcore, CapturePoint } from "../capture/capture_point.ts";
import { Channel, type ChannelPlace } from "../channel/channel.ts";
import { Ledger } from "../channel/ledger.ts";
import { LongShare } from "../channel/long_share.ts";
import { Outstanding, type OutstandingHandle } from "../channel/outstanding.ts";
import type { CommandWord } from "../lcore/command.ts";
import { Idle, type IdleMode } from "../lcore/idle.ts";
import { type MbufGeometry, Mbufs } from "../mempool/mbuf.ts";
import { CheckedMempool, type CheckedMempoolHandle } from "../mempool/checked_mempool.ts";
import { Mempool } from "../mempool/mempool.ts";
import type { MempoolHandle } from "../mempool/mempool_handle.ts";
import type { MempoolProblem } from "../mempool/mempool_problem.ts";
import type { Counters } from "../port/counters.ts";
import type { PortResources } from "../port/port_resources.ts";
import { joinLinks } from "../port/link_port.ts";
import type { PortSetup } from "../port/open_port.ts";
import type { HostPort } from "../port/port.ts";
import type { Umem } from "../port/xdp_umem.ts";
import { HostLoop } from "./forward.ts";
import { GateFollower } from "./gate.ts";
import { HostAlarm } from "./host_alarm.ts";
import { LaneWatch } from "./lane_watch.ts";
import { Mirror } from "./mirror.ts";
import { Lane, type LaneGuest } from "./lane.ts";

/** A {@linkcode HostLcore} on its way to its thread; survives `postMessage`. */
export interface HostLcoreHandle {
  /** Its number among the host's, from 0: the vector that wakes it, in each of its regions. */
  readonly lcore: number;
  /** The regions that its lanes lead to. */
  readonly regions: readonly RegionHandle[];
  /** The guests that its lanes lead to. */
  readonly guests: readonly GuestHandle[];
  /** Its ports; no other lcore has these. A link has both its ends here. */
  readonly lanes: readonly LaneHandle[];
  /** What to do in turns that find nothing. */
  readonly idle: IdleMode;
  /** Frames that are moved at a time. */
  readonly burst: number;
}

/** A region, for an lcore. */
export interface RegionHandle {
  /** Its name or path. */
  readonly name: string;
  /** Its memory, which the main thread has mapped. */
  readonly memory: MappedMemoryHandle;
  /** Where its mbufs lie. */
  readonly geometry: MbufGeometry;
  /** Its mempool, which all of the host's lcores share. */
  readonly mempool: MempoolHandle | CheckedMempoolHandle;
  /** One byte an mbuf, which they share too; see {@linkcode Ledger}. */
  readonly ledger: SharedArrayBuffer;
  /** Whether other lcores use the ledger too. */
  readonly shared: boolean;
  /** How many mbufs each guest holds. */
  readonly outstanding: OutstandingHandle;
  /** Long mbufs that one guest may hold; `Infinity` for no limit. */
  readonly longMax: number;
  /** Longest frame in bytes, from a port or from a guest. */
  readonly frameMax: number;
  /** Its mbufs as AF_XDP's memory, if a port needs that. */
  readonly umem?: Umem;
  /** Where others capture, if they can. */
  readonly capture?: MappedMemoryHandle;
  /** The host's own eventfds there, by vector: its guests notify an lcore by them. */
  readonly vectors: readonly number[];
  /** The same for guests that have come since the server was lost and found again; may be none. */
  readonly laterVectors: readonly number[];
}

/** A guest, for an lcore. */
export interface GuestHandle {
  /** Its region: an index into `regions`. */
  readonly region: number;
  /** Its number in that region, as the ledger has it. */
  readonly number: number;
  /** The gate in front of it, opened and closed by the main thread. */
  readonly gate: MappedMemoryHandle;
  /** The number by which this lcore acknowledges at the gate. */
  readonly follower: number;
}

/** A port, and its channel to a guest, for an lcore. */
export interface LaneHandle {
  /** The guest: an index into `guests`. */
  readonly guest: number;
  /** What makes the port. */
  readonly setup: PortSetup;
  /** What makes the port that its frames are copied to, if they are. */
  readonly mirror?: PortSetup;
  /** Its place in the region's capture area, if there is one. */
  readonly point?: number;
  /** The channel, in the guest's region. */
  readonly place: ChannelPlace;
  /** The port's counters. */
  readonly counters: Counters;
}

/** Makes a lane's port of what the main thread has opened. */
export type MakePort = (setup: PortSetup, resources: PortResources) => HostPort;

/** Most problems with mbufs that an lcore logs: later ones are likely to be the same. */
const PROBLEMS_MAX = 100;

/** A region, as one lcore uses it: its own objects over the memory that all lcores share. */
class LcoreRegion {
  readonly memory: MappedMemory;
  readonly mbufs: Mbufs;
  readonly mempool: Mempool;
  readonly ledger: Ledger;
  readonly outstanding: Outstanding;
  readonly longs: LongShare;
  readonly frameMax: number;
  readonly umem?: Umem;
  readonly #capture?: CaptureLcore;

  /** `log` receives what a mempool for debugging finds. */
  constructor(handle: RegionHandle, lcore: number, log: Log) {
    const { name, memory, geometry, mempool, ledger, outstanding, frameMax, shared, umem } = handle;
    const user = `lcore ${lcore}`;
    if (handle.capture) {
      const area = new CaptureArea(new MappedMemory(handle.capture), name);
      this.#capture = new CaptureLcore(area, lcore);
    }
    this.memory = new MappedMemory(memory);
    this.mbufs = new Mbufs(this.memory, geometry);
    let left = PROBLEMS_MAX;
    const onProblem = ({ message }: MempoolProblem) =>
      left-- > 0 && log(`region ${name}: ${message}`, { level: "error" });
    this.mempool = "watch" in mempool
      ? CheckedMempool.attach(mempool, { user, onProblem })
      : Mempool.attach(mempool);
    this.ledger = new Ledger(ledger, geometry, frameMax, shared);
    this.outstanding = new Outstanding(outstanding);
    this.longs = new LongShare(ledger, geometry, handle.longMax);
    this.frameMax = frameMax;
    this.umem = umem;
  }

  /** Where the frames of a port are captured, by its place in the area. */
  capturePoint(port?: number): CapturePoint {
    return new CapturePoint(this.mbufs.map, this.#capture, port);
  }
}

/** A host lcore in its own thread: ports, channels and gates, and the loop over them. */
export class HostLcore {
  /** One for each port. */
  readonly lanes: readonly Lane[];
  /** One for each guest. */
  readonly gates: readonly GateFollower[];
  readonly #regions: readonly LcoreRegion[];
  readonly #loop: HostLoop;

  /**
   * Make all of it, in the thread that will run it.
   *
   * @param log Told what a mempool for debugging finds.
   * @param clock Nanoseconds, for what is done several times a second.
   */
  constructor(
    handle: HostLcoreHandle,
    command: CommandWord,
    makePort: MakePort,
    log: Log,
    clock?: () => number,
  ) {
    const { lcore, idle, burst } = handle;
    const regions = this.#regions = handle.regions.map((region) => {
      return new LcoreRegion(region, lcore, log);
    });
    const open = handle.lanes.map(({ guest, setup, mirror, point, place, counters }) => {
      const region = regions[handle.guests[guest].region];
      const channel = new Channel(region.memory, place);
      const capture = region.capturePoint(point);
      const resources = { ...region, counters, capture };
      const port = makePort(setup, resources);
      const copies = mirror && new Mirror(mirror, resources, makePort, counters);
      const watch = new LaneWatch(capture, copies, burst);
      return { guest, region, channel, counters, port, watch };
    });
    joinLinks(open.map(({ port }) => port));
    const guests = handle.guests.map(({ number, region, gate, follower }, guest): LaneGuest => {
      const { ledger, mempool, outstanding, longs } = regions[region];
      const its = open.filter((lane) => lane.guest === guest);
      const reset = () => its.forEach(({ channel }) => channel.reset());
      const letGo = () => {
        for (const { port } of its) port.letGo?.();
        mempool.close(); // its cache alone: it goes on
      };
      return {
        number,
        ledger,
        mempool,
        longs,
        outstanding: outstanding.of(number, lcore),
        gate: new GateFollower(gate, follower, reset, letGo),
      };
    });
    this.gates = guests.map(({ gate }) => gate);
    this.lanes = open.map(({ port, channel, guest, counters, watch }) =>
      new Lane(port, channel, guests[guest], counters, burst, watch)
    );
    const alarm = this.#alarm(handle);
    for (const { region, channel } of open) {
      alarm.add(region.memory, channel.hostSleepWord, lcore);
    }
    const waiting = new Idle(idle, alarm, clock);
    this.#loop = new HostLoop(this.lanes, this.gates, command, waiting, clock);
  }

  /** The body of a host lcore's Worker: make it, forward until the stop, give everything back. */
  static run(
    handle: HostLcoreHandle,
    command: CommandWord,
    makePort: MakePort,
    log: Log,
  ): void {
    const lcore = new HostLcore(handle, command, makePort, log);
    try {
      while (lcore.turn());
    } finally {
      lcore.close();
    }
  }

  /** One turn of the loop; false if it was the last one. */
  turn(): boolean {
    return this.#loop.turn();
  }

  /** Close the ports, and give all mbufs back that this lcore holds. */
  close(): void {
    for (const lane of this.lanes) lane.close();
    this.releaseCaches();
  }

  /** Give the mbufs in this lcore's caches back to its mempools. It may go on after that. */
  releaseCaches(): void {
    for (const { mempool } of this.#regions) mempool.close();
  }

  #alarm({ regions, lcore }: HostLcoreHandle): HostAlarm {
    const eventfds = regions.map(({ vectors }) => vectors[lcore]);
    const later = regions.flatMap(({ laterVectors }) => laterVectors.slice(lcore)[0] ?? []);
    return new HostAlarm(this.lanes, this.gates, eventfds, later);
  }
}
