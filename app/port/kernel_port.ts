import { CulvertError } from "../../ffi/error.ts";
import { CapturePoint } from "../capture/capture_point.ts";
import { DESCRIPTOR, FRAME_MIN_BYTES } from "../memory/layout.ts";
import type { Mbufs } from "../mempool/mbuf.ts";
import type { MbufSource } from "../mempool/mbuf_source.ts";
import { type Burst, checkBurst } from "../ring/burst.ts";
import { COUNTER, type Counters, countFrames } from "./counters.ts";
import type { HostPort } from "./port.ts";
import { PortQueue, type QueueSetup, WAITING_MAX } from "./port_queue.ts";
import type { PortResources } from "./port_resources.ts";
import { RxSlots } from "./rx_slots.ts";
import { hasSuperFrame, type SegmentSender, WholeFrames } from "./whole_frames.ts";

/** Room for tags beyond the MTU: two of four bytes. */
const TAGS_BYTES = 8;

/**
 * In the place of headers: all frames are plain. A device that wants headers gets zeros
 * (shim/burst.h).
 */
const NO_HEADERS = -1;

/**
 * What a send returns, if it is not negative: how many frames, and in the bits above, if some of
 * these were refused before later ones were sent, their errno (shim/tap.c). They are marked.
 */
const SENT_MASK = 0xffff, ERRNO_SHIFT = 16;

/** `TX_REFUSED` in shim/burst.h, in the first word of a descriptor. */
const REFUSED = 0x80000000;

const [EIO, ENXIO, EAGAIN, ENODEV, EBADFD] = [5, 6, 11, 19, 77];
const [EMSGSIZE, ENETDOWN, ENOBUFS] = [90, 100, 105];
const DOWN_ERRNOS = [EIO, ENXIO, ENODEV, EBADFD, ENETDOWN];

/** Longest frame that a host of this MTU carries: Ethernet header, two tags, MTU; no FCS. */
export function frameMaxOf(mtu: number): number {
  return FRAME_MIN_BYTES + TAGS_BYTES + mtu;
}

/**
 * A port whose other side is the kernel: it receives into mbufs, one shim call a burst, and makes
 * whole frames of what offloads have left half-done, or passes super-frames whole to a receiver
 * that takes them.
 */
export abstract class KernelPort implements HostPort {
  abstract readonly name: string;
  isUp = true;

  readonly #mbufs: Mbufs;
  readonly #mempool: MbufSource;
  readonly #capture: CapturePoint;
  readonly #rx: RxSlots;
  readonly #whole: WholeFrames;
  /**
   * Whether all frames are sent with headers now, to keep their order, as a super-frame was sent
   * with one not long ago.
   */
  #sendsWhole = false;
  #hasSentWhole = false;
  readonly #sendSegments: SegmentSender = (burst, count) => this.#sendAllOf(burst, count);

  /** Whether the interface has a carrier, as long as that was looked up a moment ago. */
  #carrier?: boolean;
  /** The interface's MTU, likewise. */
  #mtu?: number;

  /** Where this port counts. */
  protected readonly counters: Counters;
  /** If it is a queue of several. */
  protected readonly queue?: PortQueue;

  /**
   * The interface is taken to be up. No mbuf is taken from the mempool before the first receive.
   */
  constructor(resources: PortResources, queue?: QueueSetup) {
    this.queue = queue && new PortQueue(queue);
    this.#mbufs = resources.mbufs;
    this.#mempool = resources.mempool;
    this.counters = resources.counters;
    this.#capture = resources.capture ?? new CapturePoint(resources.mbufs.map);
    this.#rx = new RxSlots({ ...resources, capture: this.#capture }, {
      receive: (map, slots, word, room, count) => {
        const n = this.isUp ? this.receive(map, slots, word, room, count) : 0;
        if (n < 0 && DOWN_ERRNOS.includes(-n)) this.isUp = false;
        return n;
      },
      discard: (count) => this.discard(count),
    });
    this.#whole = new WholeFrames(resources);
  }

  abstract get pollable(): number[];

  /** Receive as {@linkcode RxSource} has it. */
  protected abstract receive(
    map: number,
    slots: Burst,
    word: number,
    room: number,
    count: number,
  ): number;

  /**
   * Send frames `at` to `at + count - 1` by one shim call: how many, or -errno if none was; see
   * {@linkcode SENT_MASK} for frames that were refused among those that were sent.
   *
   * @param headers The offload headers, or negative if all are plain frames.
   */
  protected abstract send(
    map: number,
    burst: Burst,
    count: number,
    at: number,
    headers: number,
  ): number;

  /** Throw away up to `count` waiting frames: how many, or -errno. */
  protected abstract discard(count: number): number;

  /** See whether the interface is back; open it again if it is another one. */
  protected abstract recover(): boolean;

  /** Whether a frame that the interface sends arrives anywhere. */
  protected abstract hasCarrier(): boolean;

  /** The interface's MTU in bytes. */
  protected abstract mtu(): number;

  /** Have the kernel hand super-frames over, or not, where it asks for that. */
  protected offload(_isOn: boolean): void {}

  /** Close what is open in the kernel. */
  protected abstract closeSockets(): void;

  set passesWhole(passesWhole: boolean) {
    this.#rx.passesWhole = passesWhole;
    this.offload(passesWhole);
  }

  refresh(): void {
    if (!this.isUp) this.isUp = this.#hasRecovered();
    this.counters[COUNTER.DOWN] = this.isUp ? 0 : 1;
    this.#carrier = undefined;
    this.#mtu = undefined;
    this.#sendsWhole = this.#hasSentWhole;
    this.#hasSentWhole = false;
  }

  rxBurst(burst: Burst, max: number, at = 0): number {
    checkBurst(burst, DESCRIPTOR.WORDS, max, at);
    return this.#rx.rxBurst(burst, max, at);
  }

  txBurst(burst: Burst, count: number, at = 0): number {
    checkBurst(burst, DESCRIPTOR.WORDS, count, at);
    const isMixed = this.#sendsWhole || hasSuperFrame(burst, count, at);
    const done = isMixed ? this.#sendMixed(burst, count, at) : this.#send(burst, count, at);
    this.#mempool.free(burst, done, at);
    return done;
  }

  close(): void {
    this.letGo();
    this.closeSockets();
    this.#rx.close();
    this.#whole.close();
  }

  letGo(): void {
    this.#rx.letGo();
  }

  /**
   * Send frames, with the headers that were prepared for them or as plain ones; returns how many.
   */
  #send(burst: Burst, count: number, at: number, hasHeaders = false): number {
    let done = 0;
    while (done < count && this.isUp) {
      const headers = hasHeaders ? this.#whole.headers(done) : NO_HEADERS;
      const sent = this.send(this.#mbufs.map, burst, count - done, at + done, headers);
      if (sent >= 0) {
        const errno = sent >>> ERRNO_SHIFT;
        if (errno === 0) countFrames(this.counters, COUNTER.TX, burst, sent, at + done);
        else this.#countSome(burst, sent & SENT_MASK, at + done, errno);
        done += sent & SENT_MASK;
      } else if (sent === -EAGAIN) {
        break; // the socket's buffer, or the TAP's queue, is full
      } else if (DOWN_ERRNOS.includes(-sent)) {
        this.isUp = false;
      } else {
        this.#drop(at + done, this.#refusal(-sent)); // this frame, not the next
        done++;
      }
    }
    return done;
  }

  /** Count frames that were sent, and drop those among them that were refused. */
  #countSome(burst: Burst, count: number, at: number, errno: number): void {
    const { words } = burst;
    const isDown = DOWN_ERRNOS.includes(errno);
    if (isDown) this.isUp = false;
    const full = errno === EAGAIN ? COUNTER.TX_FULL : this.#refusal(errno);
    const reason = isDown ? COUNTER.PORT_DOWN : full;
    for (let i = at; i < at + count; i++) {
      const isRefused = (words[i << 1] & REFUSED) !== 0;
      words[i << 1] = (words[i << 1] & ~REFUSED) >>> 0;
      if (isRefused) this.#drop(i, reason);
      else countFrames(this.counters, COUNTER.TX, burst, 1, i);
    }
  }

  /** Send frames of which some are super-frames; returns how many. */
  #sendMixed(burst: Burst, count: number, at: number): number {
    this.#hasSentWhole ||= hasSuperFrame(burst, count, at);
    this.#whole.start(count);
    this.#sendsWhole = true;
    this.#mtu ??= this.mtu();
    let done = 0;
    while (done < count && this.isUp) {
      const ready = this.#whole.prepare(burst, count - done, at + done, this.#mtu);
      const sent = ready > 0
        ? this.#send(burst, ready, at + done, true)
        : this.#cut(burst, at + done);
      done += sent;
      if (sent < ready || sent === 0) break;
    }
    return done;
  }

  /**
   * Cut a super-frame, and send the segments: it counts as one frame. Returns 1, or 0 if the port
   * is down.
   */
  #cut(burst: Burst, at: number): number {
    const errno = this.#whole.cut(
      burst.words[at << 1],
      burst.words[(at << 1) + 1],
      this.#sendSegments,
    );
    if (errno === 0) countFrames(this.counters, COUNTER.TX, burst, 1, at);
    else if (errno < 0) this.#drop(at, this.#whole.reason);
    else if (errno === EAGAIN) this.#drop(at, COUNTER.TX_FULL);
    else if (DOWN_ERRNOS.includes(errno)) {
      this.isUp = false;
      return 0;
    } else this.#drop(at, this.#refusal(errno));
    return 1;
  }

  /** Count frame number `at` of a burst that is being sent, which is dropped. */
  #drop(at: number, reason: number): void {
    this.counters[reason]++;
    this.#capture.mark(at, at + 1, reason);
  }

  /** Send and free segments of one super-frame: 0, or the errno of one that was refused. */
  #sendAllOf(burst: Burst, count: number): number {
    let done = 0, errno = 0;
    while (done < count && errno === 0) {
      const sent = this.send(this.#mbufs.map, burst, count - done, done, NO_HEADERS);
      errno = sent < 0 ? -sent : sent >>> ERRNO_SHIFT;
      if (errno === 0) done += sent;
    }
    this.#mempool.free(burst, count);
    return errno;
  }

  /** The counter of a frame that the kernel has dropped with this error. */
  #refusal(errno: number): number {
    if (errno === EMSGSIZE) return COUNTER.TX_TOO_LONG;
    if (errno !== ENOBUFS) return COUNTER.TX_REFUSED;
    // ENOBUFS past the queueing discipline: the device has not taken the frame.
    this.#carrier ??= this.hasCarrier();
    return this.#carrier ? COUNTER.TX_FULL : COUNTER.NO_CARRIER;
  }

  /** Whether all queues of the port are on one interface; frames that come before are dropped. */
  #hasSettled(queue: PortQueue): boolean {
    if (!queue.hasSettled()) return false;
    const frames = Math.max(0, this.discard(WAITING_MAX));
    this.counters[COUNTER.RX] += frames;
    this.counters[COUNTER.PORT_DOWN] += frames;
    return true;
  }

  /** An interface that is back, but is busy or may not be opened yet, is tried again later. */
  #hasRecovered(): boolean {
    try {
      return this.recover() && (this.queue === undefined || this.#hasSettled(this.queue));
    } catch (error) {
      if (error instanceof CulvertError) return false;
      throw error;
    }
  }
}
