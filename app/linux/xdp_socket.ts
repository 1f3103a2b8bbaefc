/**
 * AF_XDP sockets: opening, their memory (UMEM), their rings, binding and counters. See the kernel's
 * include/uapi/linux/if_xdp.h and Documentation/networking/af_xdp.rst.
 *
 * @module
 */
import { type Advice, check, CulvertError } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";

const AF_XDP = 44, SOL_XDP = 283;
const OPTION = {
  MMAP_OFFSETS: 1,
  RX_RING: 2,
  TX_RING: 3,
  FILL_RING: 5,
  COMPLETION_RING: 6,
  STATISTICS: 7,
  MAX_TX_SKB_BUDGET: 9,
} as const;
const BIND = { SHARED_UMEM: 1, COPY: 2, ZEROCOPY: 4, USE_NEED_WAKEUP: 8 } as const;
const UNALIGNED_CHUNKS = 1;

/** Where in the socket's file each ring is mapped. */
const PLACE = { rx: 0, tx: 0x80000000, fill: 0x100000000, completion: 0x180000000 } as const;

/** Bytes of an entry: a descriptor, or an address. */
const ENTRY_BYTES = { rx: 16, tx: 16, fill: 8, completion: 8 } as const;

/** The rings in the order of `struct xdp_mmap_offsets`, and the words of each there. */
const RINGS = ["rx", "tx", "fill", "completion"] as const, OFFSET_WORDS = 8;

const LOOPBACK = 1, PAGE = 4096, ENOBUFS = 105;

/** The four rings of a socket. */
export interface KernelRings {
  /** Received frames. */
  readonly rx: KernelRing;
  /** Frames to be sent. */
  readonly tx: KernelRing;
  /** Empty buffers for frames that will be received. */
  readonly fill: KernelRing;
  /** Buffers of frames that were sent. */
  readonly completion: KernelRing;
}

/** A ring that the kernel and we share: where in its memory things are, as word indexes. */
export interface KernelRing {
  /** Mapped from the socket. */
  readonly memory: MappedMemory;
  /** Entries, a power of two. */
  readonly size: number;
  /** Written by the side that adds entries. */
  readonly producer: number;
  /** Written by the side that takes them. */
  readonly consumer: number;
  /** Written by the kernel. */
  readonly flags: number;
  /** The first entry. */
  readonly entries: number;
}

const OPEN_ADVICE: Advice = {
  EPERM: "run as root, or grant CAP_NET_RAW",
  EAFNOSUPPORT: "this kernel has no AF_XDP; use packet:IFACE",
};

/**
 * Open an AF_XDP socket for an interface. It is not bound to it yet.
 *
 * @throws {ShimError} without CAP_NET_RAW.
 */
export function openXdpSocket(name: string): number {
  return check(shim.shim_xdp_open(cString(name)), `open AF_XDP for ${name}`, OPEN_ADVICE);
}

/**
 * Register part of a memory as the UMEM of a socket: its pages are pinned from now on.
 *
 * @param offset Where it begins, in bytes; a multiple of 4096.
 * @param chunk Bytes of a chunk, 2048 to 4096, which need not be a power of two.
 * @throws {ShimError} if that is more memory than the process may lock.
 */
function registerUmem(
  fd: number,
  { map }: MappedMemory,
  offset: number,
  bytes: number,
  chunk: number,
): void {
  const result = shim.shim_xdp_umem(
    fd,
    map,
    BigInt(offset),
    BigInt(bytes),
    chunk,
    UNALIGNED_CHUNKS,
  );
  if (result === -ENOBUFS) {
    throw new CulvertError(
      `Cannot lock the ${bytes >>> 20} MiB of mbufs that AF_XDP needs: run as root, grant ` +
        `CAP_IPC_LOCK, or raise the limit (ulimit -l ${bytes >>> 10})`,
    );
  }
  check(result, `register ${bytes} bytes of mbufs with AF_XDP`);
}

/**
 * Open a socket whose UMEM others share, which receives and sends nothing. It is bound where no
 * interface can go away, so that sockets bound later, to interfaces that are made anew, share it
 * without locking memory again.
 *
 * @throws {ShimError} if it may not be opened, or that is more memory than the process may lock.
 */
export function openUmemSocket(
  memory: MappedMemory,
  offset: number,
  bytes: number,
  chunk: number,
): number {
  const fd = check(shim.shim_xdp_open_apart(), "open AF_XDP", OPEN_ADVICE);
  try {
    registerUmem(fd, memory, offset, bytes, chunk);
    setOption(fd, OPTION.FILL_RING, 2);
    setOption(fd, OPTION.COMPLETION_RING, 2);
    setOption(fd, OPTION.RX_RING, 2);
    const result = bind(fd, LOOPBACK, 0, BIND.COPY | BIND.USE_NEED_WAKEUP, 0);
    check(result, "bind AF_XDP to lo", {
      EBUSY: "another program without CAP_SYS_ADMIN has it in this network namespace; end that, " +
        "or run as root",
    });
    return fd;
  } catch (error) {
    shim.shim_fd_close(fd);
    throw error;
  }
}

/**
 * Make the rings of a socket that is not bound yet, and map them.
 *
 * @param size Entries of each, a power of two.
 */
export function mapRings(fd: number, size: number): KernelRings {
  for (const option of ["FILL_RING", "COMPLETION_RING", "RX_RING", "TX_RING"] as const) {
    setOption(fd, OPTION[option], size);
  }
  setBudget(fd, size);
  const offsets = new BigUint64Array(RINGS.length * OFFSET_WORDS / 2);
  const bytes = new Uint8Array(offsets.buffer);
  check(
    shim.shim_socket_get(fd, SOL_XDP, OPTION.MMAP_OFFSETS, bytes, bytes.length),
    "see where AF_XDP's rings are",
  );
  const ringOf = (name: keyof KernelRings, at: number): KernelRing => {
    const [producer, consumer, entries, flags] = [0, 1, 2, 3].map((i) =>
      Number(offsets[at * OFFSET_WORDS / 2 + i])
    );
    const used = Math.ceil((entries + size * ENTRY_BYTES[name]) / PAGE) * PAGE;
    const memory = MappedMemory.ofFile(fd, used, `AF_XDP's ${name} ring`, PLACE[name]);
    return {
      memory,
      size,
      producer: producer / 4,
      consumer: consumer / 4,
      flags: flags / 4,
      entries: entries / 4,
    };
  };
  const [rx, tx, fill, completion] = RINGS.map(ringOf);
  return { rx, tx, fill, completion };
}

/**
 * Bind a socket to a queue of an interface.
 *
 * @param umem The socket whose UMEM it shares.
 * @returns 0 or -errno.
 */
export function bindShared(fd: number, index: number, queue: number, umem: number): number {
  return bind(fd, index, queue, BIND.SHARED_UMEM, umem);
}

/** What the kernel has counted of a socket: `struct xdp_statistics`, without what cannot happen. */
export interface XdpStatistics {
  /** Frames that were too long, or found no empty buffer. */
  readonly dropped: number;
  /** Frames that found the rx ring full. */
  readonly ringFull: number;
  /** How often no empty buffer was found. */
  readonly fillEmpty: number;
}

/** Read a socket's counters. */
export function readStatistics(fd: number): XdpStatistics {
  const counts = new BigUint64Array(6);
  const bytes = new Uint8Array(counts.buffer);
  shim.shim_socket_get(fd, SOL_XDP, OPTION.STATISTICS, bytes, bytes.length);
  const [dropped, , , ringFull, fillEmpty] = [...counts].map(Number);
  return { dropped, ringFull, fillEmpty };
}

/** Let one call send as many frames as fit into the ring, not 32: since Linux 6.17. */
function setBudget(fd: number, frames: number): void {
  const value = new Uint8Array(Uint32Array.of(frames).buffer);
  shim.shim_socket_set(fd, SOL_XDP, OPTION.MAX_TX_SKB_BUDGET, value, value.length);
}

function setOption(fd: number, option: number, value: number): void {
  const bytes = new Uint8Array(Uint32Array.of(value).buffer);
  check(shim.shim_socket_set(fd, SOL_XDP, option, bytes, bytes.length), "set up AF_XDP");
}

/** `struct sockaddr_xdp`: family (16 bits) | flags (16), interface, queue, shared socket. */
function bind(fd: number, index: number, queue: number, flags: number, umem: number): number {
  const address = new Uint8Array(Uint32Array.of(AF_XDP | flags << 16, index, queue, umem).buffer);
  return shim.shim_socket_bind(fd, address, address.length);
}
