import type { CapturePoint } from "../capture/capture_point.ts";
import { INBOUND } from "../capture/record.ts";
import {
  DESCRIPTOR_FLAG,
  FRAME_MIN_BYTES,
  HEADROOM_BYTES,
  SUPER_FRAME_MAX,
} from "../memory/layout.ts";
import { dataWord, type Mbufs } from "../mempool/mbuf.ts";
import type { MbufSource } from "../mempool/mbuf_source.ts";
import { Burst } from "../ring/burst.ts";
import { COUNTER, type Counters, countFrames } from "./counters.ts";
import type { PortResources } from "./port_resources.ts";
import { wordOf } from "./offload_header.ts";
import { finishChecksum } from "./partial_checksum.ts";
import { OVERFLOW_BYTES, RX_META, RxRoom } from "./rx_room.ts";
import { SuperFrame } from "./super_frame.ts";
import { insertTag } from "./vlan.ts";

/** Most frames that one shim call receives. */
const RX_BURST = 32;

/** Long mbufs that wait for super-frames. While these come, so few are received at a time. */
const LONGS = 8;

/** Receives without a super-frame after which there are bursts of {@linkcode RX_BURST} again. */
const PLAIN_RECEIVES = 256;

/** No slot: there is no super-frame being split. */
const NO_SLOT = -1;

/** No mbuf, in the first word of a descriptor. */
const NONE = 0xffffffff;

/**
 * `RX_LOST` and `RX_NONE` in shim/burst.h, lengths: there was no room for the frame in the socket;
 * no frame came into this slot, but one into a later one.
 */
const LOST = 0xffffffff, NO_FRAME = 0xfffffffe;

/** VIRTIO_NET_HDR_F_NEEDS_CSUM (virtio 1.2, 5.1.6). */
const NEEDS_CHECKSUM = 1;

/** One shim call that receives into slots from `word` of their burst on, or throws frames away. */
export interface RxSource {
  /**
   * Receive frames.
   *
   * @param map The shim's number of the mbufs' memory.
   * @param word Where in the burst's memory the slots begin.
   * @param room The shim's number of the memory for meta and overflow.
   * @param count As `RX_COUNT` in shim/burst.h has it.
   * @returns how many, or -errno.
   */
  receive(map: number, slots: Burst, word: number, room: number, count: number): number;
  /** Throw up to `count` frames away: how many, or -errno. */
  discard(count: number): number;
}

/**
 * The receiving half of a port whose other side is the kernel.
 *
 * Received frames wait in slots from `#next` to `#received`; slots behind hold empty mbufs for the
 * next receive. So an idle poll allocates nothing, and a super-frame is split as its segments are
 * asked for. Each of the first slots has a long mbuf, too: a frame that does not fit into its
 * slot's mbuf is in that one.
 */
export class RxSlots {
  /** Whether super-frames are handed out whole, as far as they may pass. */
  passesWhole = false;

  readonly #mbufs: Mbufs;
  readonly #mempool: MbufSource;
  readonly #counters: Counters;
  readonly #frameMax: number;
  readonly #capture?: CapturePoint;
  readonly #shortRoom: number;
  readonly #source: RxSource;
  readonly #superFrame: SuperFrame;
  /** In front the long mbufs, then the slots. */
  readonly #slots: Burst = Burst.of(LONGS + RX_BURST);
  readonly #room = new RxRoom(RX_BURST);
  readonly #meta: Uint32Array = this.#room.meta;
  #next = 0;
  #received = 0;
  #filled = 0;
  /** How many of the received frames had a long mbuf: that of slot `i` is number `i`. */
  #longs = 0;
  #plainReceives = PLAIN_RECEIVES;
  /** The slot whose super-frame is being split. */
  #splitting = NO_SLOT;

  /** No mbuf is taken from the mempool before the first receive. */
  constructor(resources: PortResources, source: RxSource) {
    this.#mbufs = resources.mbufs;
    this.#mempool = resources.mempool;
    this.#counters = resources.counters;
    this.#frameMax = resources.frameMax;
    this.#shortRoom = resources.mbufs.stride - HEADROOM_BYTES;
    this.#capture = resources.capture;
    this.#source = source;
    this.#superFrame = new SuperFrame(resources.mbufs, this.#room, OVERFLOW_BYTES);
    this.#slots.words.fill(NONE, 0, LONGS << 1);
  }

  /** Hand out up to `max` frames: see `Port`. */
  rxBurst(burst: Burst, max: number, at: number): number {
    const isEmpty = this.#next === this.#received && this.#splitting === NO_SLOT;
    if (isEmpty && !this.#receive()) return 0;
    let to = at;
    while (to < at + max) {
      if (this.#splitting !== NO_SLOT) to += this.#nextSegment(burst, to);
      else if (this.#next < this.#received) to += this.#nextFrame(burst, to);
      else break;
    }
    countFrames(this.#counters, COUNTER.RX, burst, to - at, at);
    return to - at;
  }

  /** Free all mbufs that are held; frames in them are dropped and counted. It may go on then. */
  letGo(): void {
    if (this.#splitting !== NO_SLOT) {
      this.#drop(this.#splitting, COUNTER.STOPPED, this.#superFrame.pending);
      this.#splitting = NO_SLOT;
    }
    for (; this.#next < this.#received; this.#next++) {
      if (!this.#isSkipped(this.#next)) this.#drop(this.#next, COUNTER.STOPPED);
    }
    this.#mempool.free(this.#slots, this.#filled - this.#next, LONGS + this.#next);
    this.#next = this.#received = this.#filled = 0;
    const { words } = this.#slots;
    for (let i = 0; i < LONGS; i++) {
      if (words[i << 1] !== NONE) this.#mempool.free(this.#slots, 1, i);
      words[i << 1] = NONE;
    }
  }

  /** Give the memory beside the mbufs back, after {@linkcode letGo}. */
  close(): void {
    this.#room.close();
  }

  /** Fill the slots with empty mbufs and receive; false if nothing came. */
  #receive(): boolean {
    const { words } = this.#slots;
    for (let from = LONGS + this.#next << 1, to = LONGS << 1; from < LONGS + this.#filled << 1;) {
      words[to++] = words[from++];
    }
    this.#filled -= this.#next;
    this.#next = this.#received = 0;
    if (this.#filled < RX_BURST) {
      const missing = RX_BURST - this.#filled;
      this.#filled += this.#mempool.allocBurst(this.#slots, missing, LONGS + this.#filled);
    }
    if (this.#filled === 0) return this.#discardWaiting();
    const room = dataWord(HEADROOM_BYTES, this.#shortRoom);
    for (let i = 0; i < this.#filled; i++) words[(LONGS + i << 1) + 1] = room;
    this.#longs = this.passesWhole ? this.#fillLongs() : 0;
    const isFew = this.#longs > 0 && this.#plainReceives < PLAIN_RECEIVES;
    const count = (isFew ? LONGS : this.#filled) | this.#longs << 16;
    const start = this.#slots.word + (LONGS << 1);
    const n = this.#source.receive(this.#mbufs.map, this.#slots, start, this.#room.map, count);
    this.#received = n > 0 ? n : 0;
    if (n > 0 && isFew) this.#plainReceives++;
    return n > 0;
  }

  /** Give each of the first slots a long mbuf: returns how many slots have one, or 0. */
  #fillLongs(): number {
    const { long } = this.#mempool;
    const { words } = this.#slots;
    if (long === undefined || this.#filled < LONGS) return 0;
    const room = dataWord(HEADROOM_BYTES, SUPER_FRAME_MAX);
    for (let i = 0; i < LONGS; i++) {
      if (words[i << 1] === NONE && long.allocBulk(this.#slots, 1, i) === 0) return 0;
      words[(i << 1) + 1] = room;
    }
    return LONGS;
  }

  /** Throw away a burst of waiting frames, as there are no mbufs for them. */
  #discardWaiting(): false {
    const n = Math.max(0, this.#source.discard(RX_BURST));
    this.#counters[COUNTER.RX] += n;
    this.#counters[COUNTER.NO_MBUF] += n;
    return false;
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
    if (this.#isSkipped(slot)) return 0;
    if (length < FRAME_MIN_BYTES) return this.#drop(slot, COUNTER.RUNT);
    if ((offload & 0xff00) !== 0) return this.#nextSuperFrame(burst, at, slot);
    if (length + (vlan ? 4 : 0) > this.#frameMax) return this.#drop(slot, COUNTER.OVERSIZE);
    if ((offload & NEEDS_CHECKSUM) !== 0 && !this.#completeChecksum(slot)) {
      return this.#drop(slot, COUNTER.OFFLOAD);
    }
    this.#handOut(burst, at, LONGS + slot);
    if (vlan) insertTag(this.#mbufs, burst, at, vlan);
    return 1;
  }

  #handOut(burst: Burst, at: number, number: number): void {
    const [words, slots] = [burst.words, this.#slots.words];
    words[at << 1] = slots[number << 1];
    words[(at << 1) + 1] = slots[(number << 1) + 1];
  }

  #completeChecksum(slot: number): boolean {
    const word0 = this.#slots.words[LONGS + slot << 1];
    const word1 = this.#slots.words[(LONGS + slot << 1) + 1];
    const checksum = this.#meta[slot * RX_META.WORDS + RX_META.CHECKSUM];
    const frame = this.#mbufs.frameByte(word0, word1);
    return finishChecksum(this.#mbufs, frame, word1 >>> 16, checksum & 0xffff, checksum >>> 16);
  }

  /** Drop the frame in a slot, which counts as `frames`. A long mbuf stays for the next one. */
  #drop(slot: number, reason: number, frames = 1): 0 {
    this.#counters[COUNTER.RX] += frames;
    this.#counters[reason] += frames;
    this.#capture?.addDrops(this.#slots, 1, INBOUND, reason, LONGS + slot);
    this.#mempool.free(this.#slots, 1, LONGS + slot);
    return 0;
  }

  /** Whether a slot has no frame; a lost one counts as those do that the kernel has dropped. */
  #isSkipped(slot: number): boolean {
    const length = this.#meta[slot * RX_META.WORDS + RX_META.LENGTH];
    if (length < NO_FRAME) return false;
    if (length === LOST) this.#counters[COUNTER.MISSED]++;
    this.#mempool.free(this.#slots, 1, LONGS + slot);
    return true;
  }

  /** Hand a slot's super-frame out whole, or begin to split it: see {@linkcode #nextFrame}. */
  #nextSuperFrame(burst: Burst, at: number, slot: number): number {
    const { LENGTH, VLAN, OFFLOAD, CHECKSUM } = RX_META;
    const first = slot * RX_META.WORDS;
    const meta = this.#meta;
    const parts = this.#superFrame;
    const length = meta[first + LENGTH];
    const isLong = slot < this.#longs && length > this.#shortRoom;
    const number = isLong ? slot : LONGS + slot;
    const { words } = this.#slots;
    this.#plainReceives = 0;
    const isUnderstood = parts.begin(
      words[number << 1],
      words[(number << 1) + 1],
      length,
      meta[first + OFFLOAD],
      meta[first + CHECKSUM],
      this.#room.overflowByte(slot),
    );
    if (!isUnderstood) {
      return this.#drop(slot, parts.isTunnel ? COUNTER.TUNNEL : COUNTER.OFFLOAD);
    }
    const vlan = meta[first + VLAN];
    const tagBytes = vlan ? 4 : 0;
    if (parts.segmentBytes + tagBytes > this.#frameMax) {
      return this.#drop(slot, COUNTER.OVERSIZE, parts.pending);
    }
    if (!this.passesWhole || !parts.mayPass(tagBytes)) {
      this.#splitting = slot;
      return 0;
    }
    parts.headerTo(this.#mbufs.u32, wordOf(this.#mbufs, words[number << 1]), tagBytes);
    this.#handOut(burst, at, number);
    burst.words[at << 1] |= DESCRIPTOR_FLAG.SUPER;
    if (isLong) {
      words[number << 1] = NONE;
      this.#mempool.free(this.#slots, 1, LONGS + slot);
    }
    if (vlan) insertTag(this.#mbufs, burst, at, vlan);
    return 1;
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
      this.#mempool.free(this.#slots, 1, LONGS + slot);
    }
    return 1;
  }
}
