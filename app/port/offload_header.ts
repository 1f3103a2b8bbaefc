import { DESCRIPTOR, SUPER_HEADER } from "../memory/layout.ts";
import type { Mbufs } from "../mempool/mbuf.ts";

/** Words of a header: `struct virtio_net_hdr` has ten bytes. */
export const HEADER_WORDS = 3;

/**
 * The offload header of a super-frame, read once from its mbuf into private memory: what is checked
 * afterwards is what is used, whatever a guest writes there meanwhile.
 */
export class OffloadHeader {
  /** GSO size (16), GSO type (8), flags (8): as `struct rx_meta` in shim/burst.h has them. */
  offload = 0;
  /**
   * Where the checksum is, from the start of what it covers (16), and where that starts (16):
   * likewise.
   */
  checksum = 0;

  /** Read the header in the mbuf of a descriptor. */
  read(mbufs: Mbufs, word0: number): void {
    const { u32 } = mbufs;
    const at = wordOf(mbufs, word0);
    const [first, second, third] = [u32[at], u32[at + 1], u32[at + 2]];
    this.offload = (first & 0xffff | second << 16) >>> 0;
    this.checksum = (second >>> 16 | third << 16) >>> 0;
  }
}

/** Where the header of a descriptor's mbuf lies: a word index in its memory. */
export function wordOf(mbufs: Mbufs, word0: number): number {
  const index = word0 & DESCRIPTOR.INDEX_MASK;
  return (mbufs.offset + index * mbufs.stride + SUPER_HEADER.START) / 4;
}

/**
 * Follow a super-frame that has grown by `bytes` in front, or shrunk: its header counts from the
 * frame's start.
 */
export function moveHeader(mbufs: Mbufs, word0: number, bytes: number): void {
  const at = wordOf(mbufs, word0);
  mbufs.u32[at] += bytes << 16; // the length of all headers
  mbufs.u32[at + 1] += bytes << 16; // where the partial checksum starts
}
