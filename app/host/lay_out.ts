import { CulvertError } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { addChannel, type ChannelPlace } from "../channel/channel.ts";
import { GuestState } from "../channel/guest_state.ts";
import { HEADROOM_BYTES, MBUF_STRIDE_BYTES, ZONE_KIND } from "../memory/layout.ts";
import { Region } from "../memory/region.ts";
import type { MbufGeometry } from "../mempool/mbuf.ts";
import { frameMaxOf } from "../port/kernel_port.ts";
import type { OpenedPort } from "../port/open_port.ts";
import type { RegionOptions } from "./host_options.ts";

/** A region that is laid out, and where everything lies: knowledge that guests cannot change. */
export interface LaidOutRegion {
  /** Not yet open to guests: that is `publish()`. */
  readonly region: Region;
  /** Where its mbufs lie. */
  readonly geometry: MbufGeometry;
  /** Longest frame in bytes: Ethernet header, two tags, MTU; no FCS. */
  readonly frameMax: number;
  /** In the order of the options. */
  readonly guests: readonly LaidOutGuest[];
}

/** A place for a guest, and what lies there. */
export interface LaidOutGuest {
  /** From 0; what the ledger calls it. */
  readonly number: number;
  /** Its control memzone. */
  readonly state: GuestState;
  /** By virtual port. */
  readonly places: readonly ChannelPlace[];
}

/**
 * The distance of mbufs in bytes that frames of `frameMax` bytes need: an odd number of cache lines, so
 * that it is a multiple of no larger power of two.
 */
export function strideFor(frameMax: number): number {
  const lines = Math.ceil((HEADROOM_BYTES + frameMax) / 64);
  return Math.max(MBUF_STRIDE_BYTES, (lines | 1) * 64);
}

/**
 * Lay out a region: for each guest its control memzone and a channel for each port; mbufs.
 *
 * @param mtu In bytes: decides how long frames may be, and with that how far apart mbufs lie.
 * @param ports For each guest of the options its ports, open.
 * @throws {CulvertError} if the region is too small for that.
 */
export function layOut(
  memory: MappedMemory,
  { name, mbufs, ringSize, guests }: RegionOptions,
  mtu: number,
  ports: readonly (readonly OpenedPort[])[],
): LaidOutRegion {
  const region = Region.build(memory, name);
  const frameMax = frameMaxOf(mtu);
  const stride = strideFor(frameMax);
  const laidOut = guests.map(({ number }, guest) => ({
    number,
    state: GuestState.add(region, number, ports[guest].length),
    places: ports[guest].map(({ setup, mac }, port) =>
      addChannel(region, number, port, ringSize, { portName: setup.name, mac, frameMax })
    ),
  }));
  const most = Math.floor(region.free / stride);
  if (mbufs > most) {
    throw new CulvertError(
      `Cannot put ${mbufs} mbufs of ${stride} bytes into region ${name} as ${most} fit: ` +
        `use --mbufs ${most}, or a larger --size`,
    );
  }
  const { offset } = region.addMemzone("mbufs", ZONE_KIND.MBUFS, mbufs * stride, stride);
  const geometry = { offset, stride, count: mbufs };
  return { region, geometry, frameMax, guests: laidOut };
}
