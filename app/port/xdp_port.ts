import { type Advice, check, CulvertError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { setSocket } from "../linux/bpf.ts";
import { bindShared, mapRings } from "../linux/xdp_socket.ts";
import { DESCRIPTOR, DESCRIPTOR_FLAG } from "../memory/layout.ts";
import { cellsIn } from "../mempool/mbuf.ts";
import { Burst, checkBurst } from "../ring/burst.ts";
import { COUNTER, type Counters, countFrames } from "./counters.ts";
import { findInterfaceAgain } from "./interface.ts";
import type { PortResources } from "./port_resources.ts";
import type { HostPort } from "./port.ts";
import { hasSuperFrame, WholeFrames } from "./whole_frames.ts";
import { keepSound, MissedFrames } from "./xdp_received.ts";
import {
  type QueueResources,
  roomFor,
  takeBack,
  XDP_BATCH,
  XDP_RING_SIZE,
  XdpQueue,
} from "./xdp_queue.ts";
import { attachAgain, type XdpSetup } from "./xdp_setup.ts";

/** Most calls that one burst costs, where the kernel drops frames one by one. */
const KICKS_MAX = 64;

/** How long another process's socket, which has just been closed, may keep a queue. */
const BIND_MS = 3000;

/** How long the mbufs of frames that are sent may take to come back when the port closes. */
const SENDING_MS = 100;

/** The pause between two looks at what is waited for, in microseconds; no descriptor ends it. */
const WAIT_US = 1000, NO_DESCRIPTORS = new Int32Array(0);

const BIND_ADVICE: Advice = {
  EBUSY: "another program has that queue; end it",
  EPERM: "see whether the interface is in another network namespace",
};

/** Bytes of an Ethernet header and a tag beside the MTU. */
const LINK_BYTES = 18;

const ENXIO = 6, EAGAIN = 11, EBUSY = 16, ENODEV = 19, ENETDOWN = 100;
const DOWN_ERRNOS = [ENXIO, ENODEV, ENETDOWN];

/**
 * A port on an existing interface, by AF_XDP: its mbufs are the kernel's own receive buffers, and
 * where a NIC's driver copies nothing, neither does the kernel. It takes frames away from the
 * host's stack.
 *
 * The kernel has mbufs of ours, to receive into and to send, and does not always give them back: if
 * the interface goes, mbufs in its rings are lost. So the port marks the mbufs that the kernel has,
 * and takes all of these back once the sockets are closed.
 */
export class XdpPort implements HostPort {
  /** The interface's name. */
  readonly name: string;
  isUp = true;
  #setup: XdpSetup;
  readonly #resources: PortResources;
  readonly #counters: Counters;
  readonly #queueResources: Omit<QueueResources, "room">;
  /** One a receive queue; none if the interface could not be opened again. */
  #queues: readonly XdpQueue[] = [];
  /** What the kernel has dropped there. */
  #missed = new MissedFrames();
  /** The queue to be received from first. */
  #turn = 0;
  /** Whether what was received until now is to be dropped. */
  #isStale = false;
  /** Cuts super-frames that guests have received from other ports. */
  readonly #whole: WholeFrames;
  readonly #some = Burst.of(XDP_BATCH);

  /**
   * Take over what `setup` has opened, and bind its sockets: closing the port closes it.
   *
   * @throws {CulvertError} if another process has the queues.
   */
  constructor(setup: XdpSetup, resources: PortResources) {
    const { mbufs, mempool, counters, umem } = resources;
    if (!umem) {
      throw new CulvertError(
        `Cannot use xdp:${setup.name} here as the mbufs are not registered with AF_XDP`,
      );
    }
    this.name = setup.name;
    this.#setup = setup;
    this.#resources = resources;
    this.#counters = counters;
    this.#whole = new WholeFrames(resources);
    const kernels = new Uint8Array(cellsIn(mbufs));
    this.#queueResources = { mbufs, mempool, first: umem.first, kernels };
    this.#bind(BIND_MS);
  }

  /** Its sockets; none while the interface is down. */
  get pollable(): number[] {
    return this.isUp ? this.#queues.map(({ fd }) => fd) : [];
  }

  rxBurst(burst: Burst, max: number, at = 0): number {
    checkBurst(burst, DESCRIPTOR.WORDS, max, at);
    const queues = this.#queues;
    if (this.#isStale) this.#dropReceived();
    let n = 0;
    for (let i = 0; i < queues.length && n < max; i++) {
      this.#turn = this.#turn + 1 < queues.length ? this.#turn + 1 : 0;
      n += queues[this.#turn].receive(burst, max - n, at + n);
    }
    if (n === 0) {
      for (let i = 0; i < queues.length; i++) if (queues[i].isSending) queues[i].reap();
      return 0;
    }
    const kept = keepSound(this.#resources, burst, n, at);
    countFrames(this.#counters, COUNTER.RX, burst, kept, at);
    return kept;
  }

  txBurst(burst: Burst, count: number, at = 0): number {
    checkBurst(burst, DESCRIPTOR.WORDS, count, at);
    if (!this.isUp) return 0;
    const queue = this.#queues[0];
    const isMixed = hasSuperFrame(burst, count, at);
    const n = isMixed ? this.#postMixed(queue, burst, count, at) : queue.post(burst, count, at);
    this.#kick(queue);
    return n;
  }

  refresh(): void {
    for (const queue of this.#queues) {
      if (this.isUp) this.#kick(queue, true);
      queue.reap();
      queue.refill();
    }
    this.#missed.count(this.#queues, this.#counters);
    if (!this.isUp) this.isUp = this.#hasRecovered();
    this.#counters[COUNTER.DOWN] = this.isUp ? 0 : 1;
  }

  /**
   * Drops the frames that were received. The kernel keeps its mbufs: frames that it receives into
   * them until the port goes on are dropped then.
   */
  letGo(): void {
    this.#dropReceived();
    this.#awaitSent();
    this.#isStale = true;
  }

  close(): void {
    shim.shim_fd_close(this.#setup.link); // from now on the host's stack has the frames
    this.#dropReceived();
    this.#awaitSent();
    this.#closeQueues(COUNTER.STOPPED);
    this.#whole.close();
    const { map, program, promiscuity } = this.#setup;
    for (const fd of [map, program, promiscuity]) shim.shim_fd_close(fd);
  }

  /** Have the kernel send, and follow what it says; `probe`: ask it even with nothing to send. */
  #kick(queue: XdpQueue, probe = false): void {
    for (let kicks = 0; kicks < KICKS_MAX && (probe || queue.unsent > 0); kicks++) {
      const result = queue.kick();
      if (result === -EBUSY) this.#countLost(queue.lose());
      const taken = queue.countSent(this.#counters);
      if (DOWN_ERRNOS.includes(-result)) this.isUp = false;
      if (result !== -EBUSY && taken === 0) return; // what is left goes later
      probe = false;
    }
  }

  /** Count a frame of so many bytes that the kernel has dropped. */
  #countLost(bytes: number): void {
    if (bytes === 0) return; // the super-frame that it was cut from is counted
    const found = findInterfaceAgain(this.#setup.index, this.name);
    const isTooLong = found !== undefined && bytes > found.mtu + LINK_BYTES;
    const reason = found?.hasCarrier ? COUNTER.TX_REFUSED : COUNTER.NO_CARRIER;
    this.#counters[isTooLong ? COUNTER.TX_TOO_LONG : reason]++;
  }

  /** Put frames into the tx ring, super-frames cut; returns how many of the frames were put. */
  #postMixed(queue: XdpQueue, burst: Burst, count: number, at: number): number {
    this.#whole.start(count);
    for (let i = 0; i < count; i++) {
      const [word0, word1] = [burst.words[(at + i) << 1], burst.words[((at + i) << 1) + 1]];
      if ((word0 & DESCRIPTOR_FLAG.SUPER) === 0) {
        if (queue.post(burst, 1, at + i) === 0) return i;
        continue;
      }
      const errno = this.#whole.cut(word0, word1, (segments, n) => {
        const posted = queue.post(segments, n, 0);
        queue.hideLast(posted);
        this.#kick(queue);
        this.#resources.mempool.free(segments, n - posted, posted);
        return posted === n ? 0 : EAGAIN;
      });
      if (errno === 0) countFrames(this.#counters, COUNTER.TX, burst, 1, at + i);
      else this.#counters[errno < 0 ? this.#whole.reason : COUNTER.TX_FULL]++;
      this.#resources.mempool.free(burst, 1, at + i);
    }
    return count;
  }

  /** Drop what waits now. */
  #dropReceived(): void {
    this.#isStale = false;
    for (const queue of this.#queues) {
      for (let dropped = 0, n = 1; n > 0 && dropped < XDP_RING_SIZE; dropped += n) {
        n = queue.receive(this.#some, XDP_BATCH, 0);
        this.#counters[COUNTER.RX] += n;
        this.#counters[COUNTER.STOPPED] += n;
        this.#resources.mempool.free(this.#some, n);
      }
    }
  }

  /** Wait a moment for mbufs whose frames are being sent. */
  #awaitSent(): void {
    const end = shim.shim_clock() + SENDING_MS * 1e6;
    for (const queue of this.#queues) {
      while (this.isUp && queue.isSending && shim.shim_clock() < end) {
        this.#kick(queue);
        queue.reap();
        if (queue.isSending) shim.shim_poll(NO_DESCRIPTORS, 0, WAIT_US);
      }
    }
  }

  /** An interface that is back, but is busy or may not be opened yet, is tried again later. */
  #hasRecovered(): boolean {
    try {
      return this.#recover();
    } catch (error) {
      if (error instanceof CulvertError) return false;
      throw error;
    }
  }

  /**
   * Find the interface, also under another name, or another one of its name. One that was made
   * anew, or was in another network namespace, gets a link and sockets of its own.
   */
  #recover(): boolean {
    const { index, link } = this.#setup;
    const found = findInterfaceAgain(index, this.name);
    if (!found?.isUp) return false;
    const isBound = this.#queues.length > 0 && found.index === index &&
      this.#queues.every((queue) => queue.kick() !== -ENXIO);
    if (isBound) return true;
    shim.shim_fd_close(link);
    this.#setup = { ...this.#setup, link: -1 };
    this.#dropReceived();
    this.#closeQueues(COUNTER.PORT_DOWN);
    this.#setup = attachAgain(this.#setup, found.name, found.index);
    this.#bind(0);
    return true;
  }

  /** Bind the sockets, each to its queue; wait so long for a queue. */
  #bind(milliseconds: number): void {
    const { umem } = this.#resources;
    const { sockets, index, map, queue: own = { number: 0, count: 1 } } = this.#setup;
    const resources = { ...this.#queueResources, room: roomFor(umem!.room, sockets.length) };
    const queues: XdpQueue[] = [];
    this.#queues = queues;
    this.#missed = new MissedFrames();
    const end = shim.shim_clock() + milliseconds * 1e6;
    try {
      for (const [i, fd] of sockets.entries()) {
        const queue = own.number + i * own.count;
        queues.push(new XdpQueue(fd, mapRings(fd, XDP_RING_SIZE), resources));
        let bound = bindShared(fd, index, queue, umem!.fd);
        while (bound === -EBUSY && shim.shim_clock() < end) {
          shim.shim_poll(NO_DESCRIPTORS, 0, WAIT_US);
          bound = bindShared(fd, index, queue, umem!.fd);
        }
        check(bound, `bind AF_XDP to queue ${queue} of ${this.name}`, BIND_ADVICE);
        setSocket(map, queue, fd);
      }
    } catch (error) {
      this.#closeQueues(COUNTER.PORT_DOWN);
      throw error;
    }
  }

  /** Close the sockets, take all mbufs back, and count what was still to be sent as dropped. */
  #closeQueues(reason: number): void {
    this.#missed.count(this.#queues, this.#counters);
    for (const queue of this.#queues) {
      this.#counters[reason] += queue.uncounted;
      queue.unmap();
    }
    for (const fd of this.#setup.sockets) shim.shim_fd_close(fd);
    this.#queues = [];
    this.#setup = { ...this.#setup, sockets: [] };
    takeBack(this.#queueResources);
  }
}
