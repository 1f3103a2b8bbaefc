/**
 * The ring through which an AF_PACKET socket hands frames over: TPACKET_V2. See the kernel's
 * Documentation/networking/packet_mmap.rst, and shim/burst.c, which receives from it.
 *
 * @module
 */
import { check } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import type { Burst } from "../ring/burst.ts";

const SOL_SOCKET = 1, SO_ERROR = 4, SOL_PACKET = 263, TPACKET_V2 = 1;
const OPTION = { RX_RING: 5, COPY_THRESHOLD: 7, VERSION: 10 } as const;

/** TP_STATUS_USER and TP_STATUS_COPY: we have the slot; a longer frame waits in the socket. */
const USER = 1, COPY = 2;

/**
 * Receives that find nothing, from one look whether the interface is down to the next: a look is a
 * system call.
 */
const EMPTY_PER_LOOK = 16;

/** `RING_BLOCK`, `RING_SLOT` and `RING_SLOTS` in shim/burst.c; blocks for 2112 frames. */
const BLOCK_BYTES = 1 << 16, SLOT_BYTES = 1984, BLOCKS = 64;
const SLOTS_OF_BLOCK = Math.floor(BLOCK_BYTES / SLOT_BYTES);
const SLOTS = BLOCKS * SLOTS_OF_BLOCK;

/** Where in a slot a frame begins that {@linkcode PacketArrivals} makes: behind its header. */
const FRAME_AT = 96;

/** The word that has the number of the next slot, as in shim/burst.c. */
const NEXT = SLOTS_OF_BLOCK * SLOT_BYTES / 4;

/**
 * Have a socket hand frames over by a ring, empty at first. Frames that are too long for a slot
 * wait in the socket, as many as fit into its buffer.
 *
 * @throws {ShimError} if there is not enough memory.
 */
export function makeRing(fd: number): void {
  setOption(fd, OPTION.VERSION, TPACKET_V2);
  setOption(fd, OPTION.COPY_THRESHOLD, 1);
  setOption(fd, OPTION.RX_RING, BLOCK_BYTES, BLOCKS, SLOT_BYTES, SLOTS);
}

/** The ring of a socket, as one lcore receives from it. */
export class PacketRing {
  #memory: MappedMemory;
  /** Whether every receive since the last refresh has found the ring empty. */
  #isEmpty = false;
  #isFilled = false;
  #empty = 0;
  readonly #error = new Int32Array(1);
  readonly #errorBytes = new Uint8Array(this.#error.buffer);

  /**
   * Map the ring that {@linkcode makeRing} has made; go on where its last user has stopped.
   *
   * @throws {ShimError} if there is none, or not enough memory.
   */
  constructor(readonly fd: number) {
    this.#memory = mapOf(fd);
  }

  /** Receive as `RxSource` has it; an error is told some receives later. */
  receive(map: number, slots: Burst, word: number, room: number, count: number): number {
    const maps = room | this.#memory.map << 16;
    const n = shim.shim_packet_rx(this.fd, map, slots.map, word, maps, count);
    if (n > 0) {
      this.#isFilled = true;
      return n;
    }
    this.#isEmpty = true;
    this.#empty = this.#empty + 1 | 0;
    return n < 0 || this.#empty % EMPTY_PER_LOOK !== 0 ? n : this.#look();
  }

  /** Throw away up to `count` frames; returns how many. */
  discard(count: number): number {
    const { u32 } = this.#memory;
    let n = 0;
    for (; n < count; n++) {
      const word = wordOf(u32[NEXT]);
      const status = this.#memory.load(word);
      if ((status & USER) === 0) break;
      if ((status & COPY) !== 0) shim.shim_discard(this.fd, 1);
      this.#memory.store(word, 0);
      u32[NEXT] = (u32[NEXT] + 1) % SLOTS;
    }
    return n;
  }

  /**
   * Several times a second: make the ring anew if the kernel is stuck. After a super-frame of a
   * kind that offload headers cannot describe, such as SCTP's, it considers the next slot occupied
   * for ever (net/packet/af_packet.c, `tpacket_rcv()`: rx_owner_map).
   *
   * @param missed Frames that the kernel has dropped since the last time.
   * @throws {ShimError} if the kernel refuses, as for want of memory: the ring is gone then.
   */
  refresh(missed: number): void {
    const isStuck = missed > 0 && this.#isEmpty && !this.#isFilled;
    this.#isEmpty = this.#isFilled = false;
    if (!isStuck) return;
    this.#memory.close();
    setOption(this.fd, OPTION.RX_RING, 0, 0, 0, 0);
    makeRing(this.fd);
    this.#memory = mapOf(this.fd);
  }

  /** 0, or the error that waits at the socket, as -errno. */
  #look(): number {
    const bytes = this.#errorBytes;
    shim.shim_socket_get(this.fd, SOL_SOCKET, SO_ERROR, bytes, bytes.length);
    return -this.#error[0] | 0;
  }

  /** Give the memory back: it would keep the socket open. */
  unmap(): void {
    this.#memory.close();
  }
}

/** The kernel's part in a ring that no socket has, for a rehearsal. */
export class PacketArrivals {
  /** Bytes of the ring. */
  static readonly bytes = BigInt(BLOCKS * BLOCK_BYTES);
  readonly #memory: MappedMemory;

  /** Map a file of {@linkcode PacketArrivals.bytes} zeros. */
  constructor(fd: number) {
    this.#memory = mapOf(fd);
  }

  /** Let a frame of zeros arrive. The one before it must have been received. */
  next(frameBytes: number): void {
    const { u32 } = this.#memory;
    const word = wordOf(u32[NEXT]);
    u32[word + 1] = u32[word + 2] = frameBytes; // tp_len, tp_snaplen
    u32[word + 3] = FRAME_AT; // tp_mac
    this.#memory.store(word, USER);
  }

  /** Give the memory back. */
  close(): void {
    this.#memory.close();
  }
}

/** Throw away what waits in a socket's ring. */
export function emptyRing(fd: number): void {
  const ring = new PacketRing(fd);
  ring.discard(SLOTS);
  ring.unmap();
}

function mapOf(fd: number): MappedMemory {
  return MappedMemory.ofFile(fd, BLOCKS * BLOCK_BYTES, "AF_PACKET's ring");
}

/** The word in which a slot begins: its status. */
function wordOf(slot: number): number {
  const block = Math.floor(slot / SLOTS_OF_BLOCK);
  return (block * BLOCK_BYTES + (slot % SLOTS_OF_BLOCK) * SLOT_BYTES) / 4;
}

function setOption(fd: number, option: number, ...values: number[]): void {
  const bytes = new Uint8Array(Uint32Array.from(values).buffer);
  check(shim.shim_socket_set(fd, SOL_PACKET, option, bytes, bytes.length), "set up AF_PACKET");
}
