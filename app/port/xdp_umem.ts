import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { CulvertError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { openUmemSocket } from "../linux/xdp_socket.ts";
import { cellsIn, type MbufGeometry } from "../mempool/mbuf.ts";
import { XDP_RING_SIZE } from "./xdp_queue.ts";

const PAGE = 4096;

/** Bytes that the kernel leaves free in front of each frame that it receives. */
export const XDP_HEADROOM_BYTES = 256;

/** Longest chunk of a UMEM, in bytes. */
const CHUNK_MAX = 4096;

/** The mbufs of a region as the memory that AF_XDP sockets share (UMEM); survives `postMessage`. */
export interface Umem {
  /** The socket that holds it, open as long as the host lives. */
  readonly fd: number;
  /** Where mbuf 0 begins in it, in bytes. */
  readonly first: number;
  /** Mbufs that the kernel may have of each port to receive into, and as many to send. */
  readonly room: number;
}

/**
 * Register a region's mbufs as a UMEM, whose chunks they are: the kernel copies received frames
 * into them, and sends from them.
 *
 * @param ports How many ports share it. Half of the mbufs are theirs to receive into.
 * @throws {CulvertError} if mbufs are too long for that, or so much memory may not be locked.
 */
export function registerMbufs(
  memory: MappedMemory,
  geometry: MbufGeometry,
  ports: number,
): Umem {
  const { offset, stride, count } = geometry;
  if (stride > CHUNK_MAX) {
    throw new CulvertError(
      `Cannot have xdp ports at this MTU as mbufs of ${stride} bytes are needed for that, and ` +
        `AF_XDP takes up to ${CHUNK_MAX}: use --mtu 3500 or less, or packet:IFACE`,
    );
  }
  const start = Math.floor(offset / PAGE) * PAGE;
  const end = Math.ceil((offset + stride * cellsIn(geometry)) / PAGE) * PAGE;
  const fd = openUmemSocket(memory, start, end - start, stride);
  const room = Math.min(XDP_RING_SIZE, Math.floor(count / 2 / ports));
  return { fd, first: offset - start, room };
}

/** Give it up. No port may be using it any more. */
export function closeUmem({ fd }: Umem): void {
  shim.shim_fd_close(fd);
}
