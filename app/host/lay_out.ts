import { CulvertError } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { addChannel, type ChannelPlace } from "../channel/channel.ts";
import { GuestState } from "../channel/guest_state.ts";
import { PushBox } from "../channel/push_box.ts";
import {
  cellsOfLong,
  HEADER,
  HEADROOM_BYTES,
  MBUF_STRIDE_BYTES,
  ZONE_KIND,
} from "../memory/layout.ts";
import { Region } from "../memory/region.ts";
import { SpscRing } from "../ring/spsc_ring.ts";
import { cellsIn, type MbufGeometry } from "../mempool/mbuf.ts";
import { frameMaxOf } from "../port/kernel_port.ts";
import type { OpenedPort } from "../port/open_port.ts";
import { isOnInterface, type PortKind } from "../port/port_spec.ts";
import { XDP_BATCH } from "../port/xdp_queue.ts";
import { XDP_HEADROOM_BYTES } from "../port/xdp_umem.ts";
import { type HostOptions, MBUFS_DEFAULT, type RegionOptions } from "./host_options.ts";

/** Smallest size in bytes of a new region, unless the options say another. */
const REGION_BYTES_LEAST = 64 << 20;

/** Bytes for header, directory, control memzones, pushed functions, and memzones of users. */
const REST_BYTES = 2 << 20;

/** Mbufs that a port always keeps for the next frames from the kernel. */
const KEPT_BY_PORT = 32;

/** Most long mbufs of a region, and the fewest that are worth having. */
const LONG_MOST = 256, LONG_LEAST = 16;

/**
 * How many long mbufs for super-frames to make, behind mbufs of `stride` bytes: at most half of the
 * bytes that are `free` then, as users may add memzones. None if only a few would fit: super-frames
 * are cut then.
 */
function longFor(free: number, stride: number): number {
  const fit = Math.floor(free / 2 / (stride * cellsOfLong(stride)));
  return fit < LONG_LEAST ? 0 : Math.min(LONG_MOST, fit);
}

/** Mbufs that a port keeps at least. */
function keptBy({ setup }: OpenedPort): number {
  if (setup.kind === "xdp") return setup.sockets.length * XDP_BATCH;
  return isOnInterface(setup) ? KEPT_BY_PORT : 0;
}

/** An open port, or one of its queues, and which it is. */
export interface PlacedPort {
  /** The open port. */
  readonly opened: OpenedPort;
  /** Number of the port among its guest's, from 0. */
  readonly port: number;
  /** Number of the queue, from 0. */
  readonly queue: number;
  /** How many queues the port has. */
  readonly queues: number;
}

/**
 * A region that is laid out, and where everything lies, in private memory that no guest can change.
 */
export interface LaidOutRegion {
  /** The region, not open to guests before `publish()`. */
  readonly region: Region;
  /** Where its mbufs lie. */
  readonly geometry: MbufGeometry;
  /** Longest frame in bytes: Ethernet header, two tags, MTU; no FCS. */
  readonly frameMax: number;
  /** Its guests, in the order of the options. */
  readonly guests: readonly LaidOutGuest[];
}

/** A place for a guest, and what lies there. */
export interface LaidOutGuest {
  /** Its number, from 0, as in the ledger. */
  readonly number: number;
  /** Its control memzone. */
  readonly state: GuestState;
  /** Its channels, by virtual port and queue. */
  readonly places: readonly ChannelPlace[];
}

/**
 * The distance of mbufs in bytes that frames of `frameMax` bytes need: an odd number of cache
 * lines, so that it is a multiple of no larger power of two.
 */
export function strideFor(frameMax: number, headroom: number = HEADROOM_BYTES): number {
  const lines = Math.ceil((headroom + frameMax) / 64);
  return Math.max(MBUF_STRIDE_BYTES, (lines | 1) * 64);
}

/** Bytes in front of frames that these kinds of port receive. */
function headroomOf(kinds: readonly PortKind[]): number {
  return kinds.includes("xdp") ? XDP_HEADROOM_BYTES : HEADROOM_BYTES;
}

/**
 * Size of a new region for these guests, if the options say none: a power of two, 64 MiB or more.
 *
 * @param mtu In bytes.
 */
export function regionBytesFor({ mbufs, ringSize, guests }: RegionOptions, mtu: number): number {
  const channels = guests.flatMap(({ ports }) => ports)
    .reduce((sum, { queues = 1 }) => sum + queues, 0);
  const rings = channels * 4 * SpscRing.bytes(ringSize);
  const kinds = guests.flatMap(({ ports }) => ports.map(({ kind }) => kind));
  const stride = strideFor(frameMaxOf(mtu), headroomOf(kinds));
  const cells = (mbufs ?? MBUFS_DEFAULT) * stride;
  return 2 ** Math.ceil(Math.log2(Math.max(REGION_BYTES_LEAST, cells + rings + REST_BYTES)));
}

/**
 * Lay out a region: for each guest its control memzone and a channel for each port; mbufs.
 *
 * @param host Its MTU in bytes decides how long frames may be, and with that how far apart mbufs
 * lie.
 * @param ports For each guest of the options its ports, open, and each queue of them.
 * @throws {CulvertError} if the region is too small for that.
 */
export function layOut(
  memory: MappedMemory,
  { name, mbufs, ringSize, guests }: RegionOptions,
  { mtu, burst }: Pick<HostOptions, "mtu" | "burst">,
  ports: readonly (readonly PlacedPort[])[],
): LaidOutRegion {
  const region = Region.build(memory, name);
  const frameMax = frameMaxOf(mtu);
  const all = ports.flat().map(({ opened }) => opened);
  const stride = strideFor(frameMax, headroomOf(all.map(({ setup }) => setup.kind)));
  const laidOut = guests.map(({ number }, guest) => ({
    number,
    state: GuestState.add(region, number, ports[guest].length),
    places: ports[guest].map(({ opened: { setup: { name: portName }, mac }, ...place }) => {
      const { port, queue, queues } = place;
      return addChannel(region, number, port, ringSize, { portName, mac, frameMax, queues }, queue);
    }),
  }));
  PushBox.add(region);
  const most = Math.floor(region.free / stride);
  const count = mbufs ?? Math.min(MBUFS_DEFAULT, most);
  if (count > most || count === 0) {
    throw new CulvertError(
      `Cannot put ${count || 1} mbufs of ${stride} bytes into region ${name} as ${most} fit: ` +
        (most > 0 ? `use --mbufs ${most}, or a larger --size` : "use a larger --size"),
    );
  }
  const kept = all.map(keptBy);
  const least = kept.reduce((sum, mbufs) => sum + mbufs, burst);
  if (count < least) {
    throw new CulvertError(
      `Cannot forward between the ports of region ${name} with ${count} mbufs as ${least} are ` +
        `needed, ${Math.max(...kept)} for each port and a burst: use --mbufs ${least} or more`,
    );
  }
  const long = longFor(region.free - count * stride, stride);
  const bytes = cellsIn({ offset: 0, stride, count, long }) * stride;
  const { offset } = region.addMemzone("mbufs", ZONE_KIND.MBUFS, bytes, stride);
  memory.store(HEADER.LONG_MBUFS, long);
  const geometry = { offset, stride, count, long };
  return { region, geometry, frameMax, guests: laidOut };
}
