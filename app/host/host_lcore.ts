import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { Channel, type ChannelPlace } from "../channel/channel.ts";
import { Doorbell } from "../channel/sleep_flag.ts";
import { Outstanding } from "../channel/outstanding.ts";
import { Ledger } from "../channel/ledger.ts";
import type { CommandWord } from "../lcore/command.ts";
import { Idle, type IdleMode } from "../lcore/idle.ts";
import { type MbufGeometry, Mbufs } from "../mempool/mbuf.ts";
import { Mempool, type MempoolHandle } from "../mempool/mempool.ts";
import type { Counters } from "../port/counters.ts";
import type { PortResources } from "../port/kernel_port.ts";
import { joinLinks } from "../port/link_port.ts";
import type { PortSetup } from "../port/open_port.ts";
import type { HostPort } from "../port/port.ts";
import { forward } from "./forward.ts";
import { GateFollower } from "./gate.ts";
import { HostAlarm } from "./host_alarm.ts";
import { Lane } from "./lane.ts";

/** What a host lcore is sent: its lanes, and what they work with. */
export interface HostLcoreInit {
  /** Its number among the host's, from 0: the vector that wakes it, in each of its regions. */
  readonly lcore: number;
  /** The regions that its lanes lead to. */
  readonly regions: readonly LcoreRegion[];
  /** The guests that its lanes lead to. */
  readonly guests: readonly LcoreGuest[];
  /** Its ports; no other lcore has these. A link has both its ends here. */
  readonly lanes: readonly LcoreLane[];
  /** What to do in turns that find nothing. */
  readonly idle: IdleMode;
  /** Frames that are moved at a time. */
  readonly burst: number;
}

/** What an lcore needs to know of a region. */
export interface LcoreRegion {
  /** Its memory, which the main thread has mapped. */
  readonly memory: MappedMemoryHandle;
  /** Where its mbufs lie. */
  readonly geometry: MbufGeometry;
  /** Its mempool, which all of the host's lcores share. */
  readonly mempool: MempoolHandle;
  /** One byte an mbuf, which they share too; see {@linkcode Ledger}. */
  readonly ledger: SharedArrayBuffer;
  /** What its guests hold; see {@linkcode Outstanding}. */
  readonly outstanding: SharedArrayBuffer;
  /** How many write there: the lcores by their numbers, and the main thread. */
  readonly writers: number;
  /** Mbufs that one guest may hold. */
  readonly holdMax: number;
  /** Whether other lcores use the ledger too. */
  readonly several: boolean;
  /** Longest frame in bytes, from a port or from a guest. */
  readonly frameMax: number;
  /** The host's own eventfds there, by vector: what its guests ring. */
  readonly vectors: readonly number[];
  /** The same for guests that have come since the server was lost and found again; may be none. */
  readonly laterVectors: readonly number[];
}

/** What an lcore needs to know of a guest. */
export interface LcoreGuest {
  /** Its region: an index into `regions`. */
  readonly region: number;
  /** Its number in that region, as the ledger has it. */
  readonly number: number;
  /** The gate in front of it, opened and closed by the main thread. */
  readonly gate: MappedMemoryHandle;
  /** Where at the gate this lcore acknowledges. */
  readonly keeper: number;
}

/** A port, and its channel to a guest. */
export interface LcoreLane {
  /** The guest: an index into `guests`. */
  readonly guest: number;
  /** What makes the port. */
  readonly setup: PortSetup;
  /** The channel, in the guest's region. */
  readonly place: ChannelPlace;
  /** The port's. */
  readonly counters: Counters;
}

/** A region, as this lcore uses it. */
interface UsedRegion {
  readonly memory: MappedMemory;
  readonly mbufs: Mbufs;
  readonly mempool: Mempool;
  readonly ledger: Ledger;
  readonly outstanding: Outstanding;
  readonly holdMax: number;
  readonly frameMax: number;
}

/**
 * What a host lcore does: make its lanes in its own thread, run the loop, give everything back.
 *
 * @param makePort Makes a lane's port of what the main thread has opened.
 */
export function runHostLcore(
  init: HostLcoreInit,
  command: CommandWord,
  makePort: (setup: PortSetup, resources: PortResources) => HostPort,
): void {
  const regions = init.regions.map(useRegion);
  const regionOf = (lane: LcoreLane) => regions[init.guests[lane.guest].region];
  const channels = init.lanes.map((lane) => new Channel(regionOf(lane).memory, lane.place));
  const gates = init.guests.map(({ gate, keeper }, guest) => {
    const its = channels.filter((_, i) => init.lanes[i].guest === guest);
    const reset = () => its.forEach((channel) => channel.reset());
    return new GateFollower(gate, keeper, reset, () => {
      ports.forEach((port, i) => init.lanes[i].guest === guest && port.letGo?.());
      regions[init.guests[guest].region].mempool.close(); // its cache; it goes on
    });
  });
  const ports = init.lanes.map((lane) => {
    const { mbufs, mempool, frameMax } = regionOf(lane);
    return makePort(lane.setup, { mbufs, mempool, frameMax, counters: lane.counters });
  });
  joinLinks(ports);
  const lanes = init.lanes.map((lane, i) => {
    const { memory } = regionOf(lane);
    const gate = gates[lane.guest];
    return new Lane({
      port: ports[i],
      channel: channels[i],
      guest: init.guests[lane.guest].number,
      gate,
      bell: new Doorbell(memory, channels[i].guestSleepWord, (vector) => gate.wake(vector)),
      ledger: regionOf(lane).ledger,
      mempool: regionOf(lane).mempool,
      counters: lane.counters,
      burst: init.burst,
      holding: regionOf(lane).outstanding.of(init.guests[lane.guest].number, init.lcore),
      holdMax: regionOf(lane).holdMax,
    });
  });
  const eventfds = init.regions.map(({ vectors }) => vectors[init.lcore]);
  const later = init.regions.flatMap(({ laterVectors }) => laterVectors.slice(init.lcore)[0] ?? []);
  const alarm = new HostAlarm(lanes, gates, eventfds, later);
  init.lanes.forEach((lane, i) => {
    alarm.add(regionOf(lane).memory, channels[i].hostSleepWord, init.lcore);
  });
  try {
    forward(lanes, gates, command, new Idle(init.idle, alarm));
  } finally {
    for (const port of ports) port.close();
    for (const { mempool } of regions) mempool.close();
  }
}

function useRegion(region: LcoreRegion): UsedRegion {
  const memory = new MappedMemory(region.memory);
  return {
    memory,
    mbufs: new Mbufs(memory, region.geometry),
    mempool: Mempool.attach(region.mempool),
    ledger: new Ledger(region.ledger, region.geometry, region.frameMax, region.several),
    outstanding: new Outstanding(region.outstanding, region.writers),
    holdMax: region.holdMax,
    frameMax: region.frameMax,
  };
}
