/**
 * A guest lcore: makes its lanes in its own thread, and runs the loop.
 *
 * @module
 */
import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { Channel, type ChannelPlace } from "../channel/channel.ts";
import { Doorbell } from "../channel/sleep_flag.ts";
import { COMMAND, type CommandWord } from "../lcore/command.ts";
import { Idle, type IdleMode } from "../lcore/idle.ts";
import { serveLcore } from "../lcore/lcore.ts";
import { type MbufGeometry, Mbufs } from "../mempool/mbuf.ts";
import { isOver, type Lease } from "./attachment.ts";
import { GuestAlarm } from "./guest_alarm.ts";
import { type Interrupts, wakerOf } from "./interrupts.ts";
import { forward } from "./forward.ts";
import { addressWords } from "./mac_address.ts";
import { MODES } from "./functions/mod.ts";
import { TxBuffer } from "./tx_buffer.ts";
import { type GuestCounters, VirtualPort } from "./virtual_port.ts";

/** A virtual port on its way to an lcore. */
export interface VirtualPortInit {
  /** As the host numbers its ports, from 0; masks and maps speak of this. */
  readonly number: number;
  /** The host port's name, up to 15 bytes. */
  readonly name: string;
  /** The host port's MAC address, 6 bytes. */
  readonly mac: Uint8Array;
  /** Where its channel's rings lie. */
  readonly place: ChannelPlace;
  /** Written by the lcores that use the port; the main thread only reads them. */
  readonly counters: GuestCounters;
}

/** What a guest lcore is sent. */
export interface GuestLcoreInit {
  /** The region's memory, which the main thread has mapped and will unmap. */
  readonly region: MappedMemoryHandle;
  /** Where its mbufs lie. */
  readonly geometry: MbufGeometry;
  /** When to stop touching the region. */
  readonly lease: Lease;
  /** A key of `MODES`. */
  readonly mode: string;
  /** Whether l2fwd rewrites MAC addresses. */
  readonly macUpdating: boolean;
  /** Length of the frames that txonly makes, in bytes. */
  readonly txBytes: number;
  /** How to be woken, and to wake the host; undefined if that is not to be had. */
  readonly interrupts?: Interrupts;
  /** Whether the host wakes us. */
  readonly isNotified: boolean;
  /** This lcore's number among the guest's, from 0: its vector, if there is such a one. */
  readonly lcore: number;
  /** What to do in turns that find nothing. */
  readonly idle: IdleMode;
  /** Frames that are moved at a time. */
  readonly burst: number;
  /** From which port to which. */
  readonly lanes: readonly { from: VirtualPortInit; to: VirtualPortInit }[];
}

function run(init: GuestLcoreInit, command: CommandWord): void {
  const memory = new MappedMemory(init.region);
  const mbufs = new Mbufs(memory, init.geometry);
  const isOverNow = () => command.value !== COMMAND.RUN || isOver(memory, init.lease);
  const wake = init.interrupts && wakerOf(init.interrupts);
  const open = ({ name, mac, place, counters }: VirtualPortInit) => {
    const channel = new Channel(memory, place);
    const bell = wake && new Doorbell(memory, channel.hostSleepWord, wake);
    return { channel, port: new VirtualPort(name, mac, channel, counters, isOverNow, bell) };
  };
  const fd = init.isNotified ? init.interrupts?.vectors[init.lcore] : undefined;
  const alarm = new GuestAlarm(memory, fd === undefined ? fd : { fd, vector: init.lcore });
  const lanes = init.lanes.map(({ from, to }) => {
    const source = open(from);
    const target = from.number === to.number ? source : open(to);
    const lane = {
      mbufs,
      from: source.port,
      out: new TxBuffer(target.port, source.port, init.burst),
      macUpdating: init.macUpdating,
      addresses: addressWords(Uint8Array.of(2, 0, 0, 0, 0, to.number), to.mac),
      txBytes: init.txBytes,
    };
    alarm.add(lane, source.channel.guestSleepWord);
    return lane;
  });
  const idle = new Idle(init.idle, alarm);
  idle.watch([command.handle.wakeFd]);
  forward(lanes, MODES[init.mode], isOverNow, idle, init.burst);
  if (!isOver(memory, init.lease)) lanes.forEach(({ out }) => out.flush());
}

serveLcore(run);
