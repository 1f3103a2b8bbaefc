import { check, INTERFACE_ADVICE } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import type { Burst } from "../ring/burst.ts";
import { COUNTER } from "./counters.ts";
import { findInterface, findInterfaceAgain, setInterfaceUp } from "./interface.ts";
import { KernelPort, type PortResources } from "./kernel_port.ts";

/** Bytes that the kernel may keep for us while we are busy: some 2,000 small frames. */
const RECEIVE_BUFFER_BYTES = 4 << 20;

/**
 * Instead of a receiving socket's buffer: a socket that sends past the queueing discipline, or
 * through it, where captures see what it sends (`SHIM_SEND_VISIBLE` in shim/shim.h).
 */
const SEND_PAST = 0, SEND_VISIBLE = 1;

/** An open AF_PACKET port; survives `postMessage`. */
export interface PacketSetup {
  /** Tells it from other setups: {@linkcode PacketPort} takes it. */
  readonly kind: "packet";
  /** As the command line names it: `eth1` for `packet:eth1`. */
  readonly name: string;
  /** Whether captures on this machine are to see what is sent, too. */
  readonly isVisible: boolean;
  /** The number of the interface that the sockets are bound to. */
  readonly index: number;
  /** A socket that receives; promiscuous until it is closed. */
  readonly rxFd: number;
  /** A socket that only sends, past the queueing discipline unless it is to be visible. */
  readonly txFd: number;
}

/**
 * Open AF_PACKET sockets on an interface, which is brought up and promiscuous while they are open.
 *
 * @throws {ShimError} without CAP_NET_RAW, or if there is no such interface.
 */
export function openPacket(name: string, isVisible = false): PacketSetup {
  const found = findInterface(name);
  const action = `open AF_PACKET on ${name}`;
  const rxFd = check(
    shim.shim_packet_open(cString(name), RECEIVE_BUFFER_BYTES),
    action,
    INTERFACE_ADVICE,
  );
  try {
    if (!found?.isUp) setInterfaceUp(name, true);
    const way = isVisible ? SEND_VISIBLE : SEND_PAST;
    const txFd = check(shim.shim_packet_open(cString(name), way), action, INTERFACE_ADVICE);
    return { kind: "packet", name, isVisible, index: found?.index ?? 0, rxFd, txFd };
  } catch (error) {
    shim.shim_fd_close(rxFd);
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

  /** Takes over the sockets of `setup`: closing the port closes them. */
  constructor(setup: PacketSetup, resources: PortResources) {
    super(resources);
    this.name = setup.name;
    this.#setup = setup;
  }

  /** The receiving socket; none while the interface is down. */
  get pollable(): number[] {
    return this.isUp ? [this.#setup.rxFd] : [];
  }

  /**
   * Counts what the kernel has dropped since the last time, too, for want of room in the socket.
   */
  override refresh(): void {
    super.refresh();
    const missed = shim.shim_packet_missed(this.#setup.rxFd);
    if (missed > 0) this.counters[COUNTER.MISSED] += missed;
  }

  /** By one `recvmmsg()`; VLAN tag and offload header come as meta beside each frame. */
  protected receive(map: number, slots: Burst, room: number, count: number): number {
    return shim.shim_packet_rx(this.#setup.rxFd, map, slots.map, slots.word, room, count);
  }

  /** By one `sendmmsg()`. */
  protected send(map: number, burst: Burst, count: number, at: number): number {
    const word = burst.word + (at << 1);
    return shim.shim_packet_tx(this.#setup.txFd, map, burst.map, word, count);
  }

  /** By one `read()` a frame, of its first 64 bytes. */
  protected discard(count: number): number {
    return shim.shim_discard(this.#setup.rxFd, count);
  }

  /**
   * The interface, also under another name, or another one of its name. One that has left this
   * network namespace and is back, or was made anew, gets sockets of its own: the old ones are
   * bound to none.
   *
   * @throws {CulvertError} if they cannot be opened, or it is not Ethernet.
   */
  protected recover(): boolean {
    const { index, rxFd, isVisible } = this.#setup;
    const found = findInterfaceAgain(index, this.name);
    if (!found?.isUp) return false;
    if (shim.shim_packet_index(rxFd) === found.index) return true;
    const setup = openPacket(found.name, isVisible);
    this.closeSockets();
    this.#setup = setup;
    return true;
  }

  /** Whether a frame that the interface sends arrives anywhere. */
  protected hasCarrier(): boolean {
    return findInterfaceAgain(this.#setup.index, this.name)?.hasCarrier ?? false;
  }

  /** Both; the interface is no longer promiscuous for our sake. */
  protected closeSockets(): void {
    shim.shim_fd_close(this.#setup.rxFd);
    shim.shim_fd_close(this.#setup.txFd);
  }
}
