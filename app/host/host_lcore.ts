import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { Channel, type ChannelPlace } from "../channel/channel.ts";
import { Ledger } from "../channel/ledger.ts";
import type { CommandWord } from "../lcore/command.ts";
import { Idle, type IdleMode } from "../lcore/idle.ts";
import { type MbufGeometry, Mbufs } from "../mempool/mbuf.ts";
import { Mempool, type MempoolHandle } from "../mempool/mempool.ts";
import type { Counters } from "../port/counters.ts";
import type { PortResources } from "../port/kernel_port.ts";
import type { PortSetup } from "../port/open_port.ts";
import type { HostPort } from "../port/port.ts";
import { forward } from "./forward.ts";
import { GateKeeper } from "./gate.ts";
import { Lane } from "./lane.ts";

/** What a host lcore is sent. */
export interface HostLcoreInit {
  /** Its number among the host's, from 0: where at the gate it acknowledges. */
  readonly lcore: number;
  /** The region's memory, which the main thread has mapped. */
  readonly region: MappedMemoryHandle;
  /** Where the region's mbufs lie. */
  readonly geometry: MbufGeometry;
  /** The mempool, which all of the host's lcores share. */
  readonly mempool: MempoolHandle;
  /** One byte an mbuf, which they share too; see {@linkcode Ledger}. */
  readonly ledger: SharedArrayBuffer;
  /** Whether other lcores use the ledger too. */
  readonly several: boolean;
  /** Longest frame in bytes, from a port or from a guest. */
  readonly frameMax: number;
  /** The gate in front of `guest`, opened and closed by the main thread. */
  readonly gate: MappedMemoryHandle;
  /** The guest that all its lanes lead to. */
  readonly guest: number;
  /** Its ports, each with its channel to the guest; no other lcore has these. */
  readonly lanes: readonly { setup: PortSetup; place: ChannelPlace; counters: Counters }[];
  /** What to do in turns that find nothing. */
  readonly idle: IdleMode;
  /** Frames that are moved at a time. */
  readonly burst: number;
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
  const memory = new MappedMemory(init.region);
  const mbufs = new Mbufs(memory, init.geometry);
  const mempool = Mempool.attach(init.mempool);
  const ledger = new Ledger(init.ledger, init.geometry, init.frameMax, init.several);
  const channels = init.lanes.map(({ place }) => new Channel(memory, place));
  const resetRings = () => channels.forEach((channel) => channel.reset());
  const gate = new GateKeeper(init.gate, init.lcore, resetRings);
  const lanes = init.lanes.map(({ setup, counters }, i) => {
    const port = makePort(setup, { mbufs, mempool, counters, frameMax: init.frameMax });
    const channel = channels[i];
    return new Lane({
      port,
      channel,
      guest: init.guest,
      gate,
      ledger,
      mempool,
      counters,
      burst: init.burst,
    });
  });
  try {
    forward(lanes, [gate], command, new Idle(init.idle));
  } finally {
    for (const lane of lanes) lane.port.close();
    mempool.close();
  }
}
