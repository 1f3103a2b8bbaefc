import { check, INTERFACE_ADVICE, ShimError } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import type { Burst } from "../ring/burst.ts";
import { COUNTER } from "./counters.ts";
import { findInterface, findInterfaceAgain, lookAgain, setInterfaceUp } from "./interface.ts";
import { KernelPort } from "./kernel_port.ts";
import { emptyRing, makeRing, PacketRing } from "./packet_ring.ts";
import { newQueues, type QueueSetup, shareFrames } from "./port_queue.ts";
import type { PortResources } from "./port_resources.ts";

/** Bytes of frames too long for the ring that the kernel may keep for us while we are busy. */
const RECEIVE_BUFFER_BYTES = 4 << 20;

/**
 * In the place of a buffer's size, for sockets that only send: past the queueing discipline;
 * through it, where captures see the frames; or through it with an offload header before each frame
 * (`SHIM_SEND_PAST` and others in shim/shim.h).
 */
const SEND_PAST = 0, SEND_VISIBLE = 1, SEND_WHOLE = 2;

/** An open AF_PACKET port; survives `postMessage`. */
export interface PacketSetup {
  /** Tells it from other setups: {@linkcode PacketPort} takes it. */
  readonly kind: "packet";
  /** As the command line names it: `eth1` for `packet:eth1`. */
  readonly name: string;
  /** Whether captures on this machine are to see what is sent, too. */
  readonly isVisible: boolean;
  /** The number of the interface that the sockets are bound to; 0 if there is none, as made up. */
  readonly index: number;
  /** A socket that receives; promiscuous until it is closed. */
  readonly rxFd: number;
  /** A socket that only sends, past the queueing discipline unless it is to be visible. */
  readonly txFd: number;
  /** A socket that sends frames behind offload headers, super-frames among them. */
  readonly wholeFd: number;
  /** The queue that the sockets are of, if the port has several. */
  readonly queue?: QueueSetup;
  /**
   * Descriptors that are kept for the port's next host, in this order: when the port opens other
   * sockets, it makes these name them.
   */
  readonly kept?: readonly number[];
}

/**
 * Open AF_PACKET sockets on an interface, which is brought up and promiscuous while they are open:
 * for each queue.
 *
 * @throws {ShimError} without CAP_NET_RAW, or if there is no such interface.
 */
export function openPackets(name: string, isVisible = false, queues = 1): PacketSetup[] {
  if (queues === 1) return [openPacket(name, isVisible)];
  const setups: PacketSetup[] = [];
  try {
    for (const queue of newQueues(queues, findInterface(name)?.index ?? 0)) {
      setups.push(openPacket(name, isVisible, queue));
    }
  } catch (error) {
    setups.forEach(closeSockets);
    throw error;
  }
  for (const { rxFd } of setups) emptyRing(rxFd);
  return setups;
}

function closeSockets({ rxFd, txFd, wholeFd }: PacketSetup): void {
  for (const fd of [rxFd, txFd, wholeFd]) shim.shim_fd_close(fd);
}

function openPacket(name: string, isVisible: boolean, queue?: QueueSetup): PacketSetup {
  const found = findInterface(name);
  const action = `open AF_PACKET on ${name}`;
  const fds: number[] = [];
  const open = (buffer: number) => {
    const fd = check(shim.shim_packet_open(cString(name), buffer), action, INTERFACE_ADVICE);
    fds.push(fd);
    return fd;
  };
  try {
    const rxFd = open(RECEIVE_BUFFER_BYTES);
    makeRing(rxFd);
    if (!found?.isUp) setInterfaceUp(name, true);
    const txFd = open(isVisible ? SEND_VISIBLE : SEND_PAST);
    const wholeFd = open(SEND_WHOLE);
    if (queue) check(shareFrames(queue, rxFd), `share the frames of ${name}`);
    const index = found?.index ?? 0;
    return { kind: "packet", name, isVisible, index, rxFd, txFd, wholeFd, ...queue && { queue } };
  } catch (error) {
    for (const fd of fds) shim.shim_fd_close(fd);
    throw error;
  }
}

/**
 * A port on an existing interface, by AF_PACKET. What the interface sends itself is not received.
 */
export class PacketPort extends KernelPort {
  /** The interface's name. */
  readonly name: string;
  #setup: PacketSetup;
  /** None if the kernel refuses one: then the port is down until it gets other sockets. */
  #ring?: PacketRing;

  /**
   * Takes over the sockets of `setup`: closing the port closes them. If the interface has gone or
   * is down, a user before us may have taken the error by which the kernel tells that, once.
   */
  constructor(setup: PacketSetup, resources: PortResources) {
    super(resources, setup.queue);
    this.name = setup.name;
    this.#setup = setup;
    this.#unlessRefused(() => this.#ring = new PacketRing(setup.rxFd));
    this.isUp = this.#ring !== undefined && (setup.index === 0 || isBound(setup));
  }

  /** The receiving socket; none while the interface is down. */
  get pollable(): number[] {
    return this.isUp ? [this.#setup.rxFd] : [];
  }

  /**
   * Also counts frames that the kernel has dropped since the last time, as the socket had no room.
   */
  override refresh(): void {
    const missed = shim.shim_packet_missed(this.#setup.rxFd);
    if (missed > 0) this.counters[COUNTER.MISSED] += missed;
    this.#unlessRefused(() => this.#ring?.refresh(missed));
    super.refresh();
  }

  /** From the ring; VLAN tag and offload header come as meta beside each frame. */
  protected receive(map: number, slots: Burst, word: number, room: number, count: number): number {
    return this.#ring!.receive(map, slots, word, room, count); // called only if the port is up
  }

  /**
   * By one `sendmmsg()`. Past the queueing discipline super-frames are lost where the device cannot
   * segment: so what has headers goes through it.
   */
  protected send(map: number, burst: Burst, count: number, at: number, headers: number): number {
    const fd = headers < 0 ? this.#setup.txFd : this.#setup.wholeFd;
    return shim.shim_packet_tx(fd, map, burst.map, burst.word + (at << 1), count, headers);
  }

  /** From the ring. */
  protected discard(count: number): number {
    return this.#ring?.discard(count) ?? 0;
  }

  /**
   * Find the interface, also under another name, or another one of its name. An interface that has
   * left this network namespace and is back, or was made anew, gets sockets of its own: the old
   * ones are bound to none. So does one whose socket has no ring any more.
   *
   * @throws {CulvertError} if they cannot be opened, or it is not Ethernet.
   */
  protected recover(): boolean {
    const { index, rxFd, isVisible, queue, kept } = this.#setup;
    const found = findInterfaceAgain(index, this.name);
    if (!found?.isUp) return false;
    if (this.#ring && shim.shim_packet_index(rxFd) === found.index) return true;
    this.queue?.moveTo(0);
    const setup = { ...openPacket(found.name, isVisible, queue), kept };
    this.closeSockets();
    kept?.forEach((fd, i) => shim.shim_fd_copy([setup.rxFd, setup.txFd, setup.wholeFd][i], fd));
    this.#setup = setup;
    this.#ring = new PacketRing(setup.rxFd);
    this.queue?.moveTo(setup.index);
    return true;
  }

  /** Whether a frame that the interface sends arrives anywhere. */
  protected hasCarrier(): boolean {
    return findInterfaceAgain(this.#setup.index, this.name)?.hasCarrier ?? false;
  }

  /** The interface's MTU; any if it is gone. */
  protected mtu(): number {
    return findInterfaceAgain(this.#setup.index, this.name)?.mtu ?? Infinity;
  }

  /** Close all of them; the interface is no longer promiscuous for our sake. */
  protected closeSockets(): void {
    this.#ring?.unmap();
    this.#ring = undefined;
    closeSockets(this.#setup);
  }

  /** Do something with the ring. If the kernel refuses, there is none from then on. */
  #unlessRefused(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof ShimError)) throw error;
      this.#ring = undefined;
      this.isUp = false;
    }
  }
}

/** Whether a socket is bound to the interface that is there now, and that is up. */
function isBound({ index, name, rxFd }: PacketSetup): boolean {
  const found = lookAgain(index, name);
  return found?.isUp === true && shim.shim_packet_index(rxFd) === found.index;
}
