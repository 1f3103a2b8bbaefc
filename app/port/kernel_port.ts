import { CulvertError } from "../../ffi/error.ts";
import { DESCRIPTOR, FRAME_MIN_BYTES, HEADROOM_BYTES } from "../memory/layout.ts";
import { dataWord, type Mbufs } from "../mempool/mbuf.ts";
import type { Mempool } from "../mempool/mempool.ts";
import { Burst, checkBurst } from "../ring/burst.ts";
import { COUNTER, type Counters, countFrames } from "./counters.ts";
import { finishChecksum } from "./partial_checksum.ts";
import type { HostPort } from "./port.ts";
import { OVERFLOW_BYTES, RX_META, RxRoom } from "./rx_room.ts";
import { SuperFrame } from "./super_frame.ts";
import { insertTag } from "./vlan.ts";

/** Most frames that one shim call receives. */
const BURST = 32;

/** No slot: there is no super-frame being split. */
const NO_SLOT = -1;

/** VIRTIO_NET_HDR_F_NEEDS_CSUM (virtio 1.2, 5.1.6). */
const NEEDS_CHECKSUM = 1;

/** Room for tags beyond the MTU: two of four bytes. */
const TAGS_BYTES = 8;

const [EIO, ENXIO, EAGAIN, ENODEV, EBADFD] = [5, 6, 11, 19, 77];
const [EMSGSIZE, ENETDOWN, ENOBUFS] = [90, 100, 105];
const DOWN_ERRNOS = [EIO, ENXIO, ENODEV, EBADFD, ENETDOWN];

/** Longest frame that a host of this MTU carries: Ethernet header, two tags, MTU; no FCS. */
export function frameMaxOf(mtu: number): number {
  return FRAME_MIN_BYTES + TAGS_BYTES + mtu;
}

/** What a port of the host works with. */
export interface PortResources {
  /** The region's mbufs, where frames are received and sent from. */
  readonly mbufs: Mbufs;
  /** The lcore's own end: gives empty mbufs, takes back those whose frames are sent. */
  readonly mempool: Mempool;
  /** The port's counters, by {@linkcode COUNTER}. */
  readonly counters: Counters;
  /** Longest frame in bytes. */
  readonly frameMax: number;
}

/**
 * A port whose other side is the kernel: it receives into mbufs, one shim call a burst, and makes
 * whole frames of what offloads have left half-done. The kernel's copy into the mbuf is the only
 * one.
 *
 * Received frames wait in `#slots` from `#next` to `#received`; slots behind hold empty mbufs for
 * the next receive. So an idle poll allocates nothing, and a super-frame is split as its segments
 * are asked for.
 */
export abstract class KernelPort implements HostPort {
  abstract readonly name: string;
  isUp = true;

  readonly #mbufs: Mbufs;
  readonly #mempool: Mempool;
  readonly #frameMax: number;
  readonly #superFrame: SuperFrame;
  readonly #slots: Burst = Burst.of(BURST);
  readonly #room = new RxRoom(BURST);
  readonly #meta: Uint32Array = this.#room.meta;
  #next = 0;
  #received = 0;
  #filled = 0;
  /** The slot whose super-frame is being split. */
  #splitting = NO_SLOT;

  /** Whether the interface has a carrier, as long as that was looked up a moment ago. */
  #carrier?: boolean;

  /** Where this port counts. */
  protected readonly counters: Counters;

  /** Taken to be up. No mbuf is taken from the mempool before the first receive. */
  constructor(resources: PortResources) {
    this.#mbufs = resources.mbufs;
    this.#mempool = resources.mempool;
    this.#frameMax = resources.frameMax;
    this.#superFrame = new SuperFrame(resources.mbufs, this.#room.overflow, OVERFLOW_BYTES);
    this.counters = resources.counters;
  }

  abstract get pollable(): number[];

  /**
   * Receive into the mbufs of the first `count` slots by one shim call: how many, or -errno.
   *
   * @param map The shim's number of the mbufs' memory.
   * @param room The shim's number of the memory for meta and overflow.
   */
  protected abstract receive(map: number, slots: Burst, room: number, count: number): number;

  /** Send frames `at` to `at + count - 1` by one shim call: how many, or -errno if none was. */
  protected abstract send(map: number, burst: Burst, count: number, at: number): number;

  /** Throw away waiting frames by one shim call: how many, or -errno. */
  protected abstract discard(count: number): number;

  /** See whether the interface is back; open it again if it is another one. */
  protected abstract recover(): boolean;

  /** Whether a frame that the interface sends arrives anywhere. */
  protected abstract hasCarrier(): boolean;

  /** Close what is open in the kernel. */
  protected abstract closeSockets(): void;

  refresh(): void {
    if (!this.isUp) this.isUp = this.#hasRecovered();
    this.counters[COUNTER.DOWN] = this.isUp ? 0 : 1;
    this.#carrier = undefined;
  }

  rxBurst(burst: Burst, max: number, at = 0): number {
    checkBurst(burst, DESCRIPTOR.WORDS, max, at);
    const isEmpty = this.#next === this.#received && this.#splitting === NO_SLOT;
    if (isEmpty && !this.#receive()) return 0;
    let to = at;
    while (to < at + max) {
      if (this.#splitting !== NO_SLOT) to += this.#nextSegment(burst, to);
      else if (this.#next < this.#received) to += this.#nextFrame(burst, to);
      else break;
    }
    countFrames(this.counters, COUNTER.RX, burst, to - at, at);
    return to - at;
  }

  txBurst(burst: Burst, count: number, at = 0): number {
    checkBurst(burst, DESCRIPTOR.WORDS, count, at);
    let done = 0;
    while (done < count && this.isUp) {
      const sent = this.send(this.#mbufs.map, burst, count - done, at + done);
      if (sent >= 0) {
        countFrames(this.counters, COUNTER.TX, burst, sent, at + done);
        done += sent;
      } else if (sent === -EAGAIN) {
        break; // the socket's buffer, or the TAP's queue, is full
      } else if (DOWN_ERRNOS.includes(-sent)) {
        this.isUp = false;
      } else {
        this.counters[this.#refusal(-sent)]++; // of this frame, not of the next
        done++;
      }
    }
    this.#mempool.free(burst, done, at);
    return done;
  }

  close(): void {
    this.letGo();
    this.closeSockets();
    this.#room.close();
  }

  letGo(): void {
    if (this.#splitting !== NO_SLOT) {
      this.#drop(this.#splitting, COUNTER.STOPPED, this.#superFrame.pending);
      this.#splitting = NO_SLOT;
    }
    while (this.#next < this.#received) this.#drop(this.#next++, COUNTER.STOPPED);
    this.#mempool.free(this.#slots, this.#filled - this.#next, this.#next);
    this.#next = this.#received = this.#filled = 0;
  }

  /** The counter of a frame that the kernel has dropped with this error. */
  #refusal(errno: number): number {
    if (errno === EMSGSIZE) return COUNTER.TX_TOO_LONG;
    if (errno !== ENOBUFS) return COUNTER.TX_REFUSED;
    // Past the queueing discipline it means that the device has not taken the frame.
    this.#carrier ??= this.hasCarrier();
    return this.#carrier ? COUNTER.TX_FULL : COUNTER.NO_CARRIER;
  }

  /** An interface that is back, but is busy or may not be opened yet, is tried again later. */
  #hasRecovered(): boolean {
    try {
      return this.recover();
    } catch (error) {
      if (error instanceof CulvertError) return false;
      throw error;
    }
  }

  /** Fill the slots with empty mbufs and receive; false if nothing came. */
  #receive(): boolean {
    if (!this.isUp) return false;
    const { words } = this.#slots;
    for (let from = this.#next << 1, to = 0; from < this.#filled << 1; from++) {
      words[to++] = words[from];
    }
    this.#filled -= this.#next;
    this.#next = this.#received = 0;
    if (this.#filled < BURST) {
      this.#filled += this.#mempool.allocBurst(this.#slots, BURST - this.#filled, this.#filled);
    }
    if (this.#filled === 0) {
      this.#discardWaiting();
      return false;
    }
    const room = dataWord(HEADROOM_BYTES, this.#mbufs.stride - HEADROOM_BYTES);
    for (let i = 0; i < this.#filled; i++) words[(i << 1) + 1] = room;
    const n = this.receive(this.#mbufs.map, this.#slots, this.#room.map, this.#filled);
    if (n < 0) this.isUp = !DOWN_ERRNOS.includes(-n) && this.isUp;
    this.#received = n > 0 ? n : 0;
    return n > 0;
  }

  /** Throw away a burst of waiting frames, as there are no mbufs for them. */
  #discardWaiting(): void {
    const n = this.discard(BURST);
    if (n <= 0) return;
    this.counters[COUNTER.RX] += n;
    this.counters[COUNTER.NO_MBUF] += n;
  }

  /**
   * Hand out the next received frame: 1, or 0 if it was dropped or is a super-frame to be split.
   */
  #nextFrame(burst: Burst, at: number): number {
    const slot = this.#next++;
    const meta = slot * RX_META.WORDS;
    const length = this.#meta[meta + RX_META.LENGTH];
    const vlan = this.#meta[meta + RX_META.VLAN];
    const offload = this.#meta[meta + RX_META.OFFLOAD];
    if (length < FRAME_MIN_BYTES) return this.#drop(slot, COUNTER.RUNT);
    if ((offload & 0xff00) !== 0) return this.#beginSuperFrame(slot);
    if (length + (vlan ? 4 : 0) > this.#frameMax) return this.#drop(slot, COUNTER.OVERSIZE);
    if ((offload & NEEDS_CHECKSUM) !== 0 && !this.#completeChecksum(slot)) {
      return this.#drop(slot, COUNTER.OFFLOAD);
    }
    const [words, slots] = [burst.words, this.#slots.words];
    words[at << 1] = slots[slot << 1];
    words[(at << 1) + 1] = slots[(slot << 1) + 1];
    if (vlan) insertTag(this.#mbufs, burst, at, vlan);
    return 1;
  }

  #completeChecksum(slot: number): boolean {
    const word0 = this.#slots.words[slot << 1];
    const word1 = this.#slots.words[(slot << 1) + 1];
    const checksum = this.#meta[slot * RX_META.WORDS + RX_META.CHECKSUM];
    const frame = this.#mbufs.frameByte(word0, word1);
    return finishChecksum(this.#mbufs, frame, word1 >>> 16, checksum & 0xffff, checksum >>> 16);
  }

  /** Drop the frame in a slot, which counts as `frames`. */
  #drop(slot: number, reason: number, frames = 1): 0 {
    this.counters[COUNTER.RX] += frames;
    this.counters[reason] += frames;
    this.#mempool.free(this.#slots, 1, slot);
    return 0;
  }

  /** From now on {@linkcode #nextSegment} hands out this slot's super-frame. */
  #beginSuperFrame(slot: number): 0 {
    const first = slot * RX_META.WORDS;
    const { LENGTH, VLAN, OFFLOAD, CHECKSUM } = RX_META;
    const meta = this.#meta;
    const parts = this.#superFrame;
    const isUnderstood = parts.begin(
      this.#slots.words,
      slot,
      meta[first + LENGTH],
      meta[first + OFFLOAD],
      meta[first + CHECKSUM],
    );
    if (!isUnderstood) {
      return this.#drop(slot, parts.isTunnel ? COUNTER.TUNNEL : COUNTER.OFFLOAD);
    }
    if (parts.segmentBytes + (meta[first + VLAN] ? 4 : 0) > this.#frameMax) {
      return this.#drop(slot, COUNTER.OVERSIZE, parts.pending);
    }
    this.#splitting = slot;
    return 0;
  }

  /** Hand out the next segment: 1, or 0 if the mempool is empty and the rest was dropped. */
  #nextSegment(burst: Burst, at: number): number {
    const slot = this.#splitting;
    const parts = this.#superFrame;
    if (!parts.next(burst, at, this.#mempool)) {
      this.#splitting = NO_SLOT;
      return this.#drop(slot, COUNTER.NO_MBUF, parts.pending);
    }
    const vlan = this.#meta[slot * RX_META.WORDS + RX_META.VLAN];
    if (vlan) insertTag(this.#mbufs, burst, at, vlan);
    if (parts.pending === 0) {
      this.#splitting = NO_SLOT;
      this.#mempool.free(this.#slots, 1, slot);
    }
    return 1;
  }
}
