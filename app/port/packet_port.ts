import { check } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { COUNTER } from "./counters.ts";
import { findInterface, setInterfaceUp } from "./interface.ts";
import { KernelPort, type PortResources } from "./kernel_port.ts";

/** Bytes that the kernel may keep for us while we are busy: some 2,000 small frames. */
const RECEIVE_BUFFER_BYTES = 4 << 20;

/** An open AF_PACKET port; survives `postMessage`. */
export interface PacketSetup {
  readonly kind: "packet";
  readonly name: string;
  readonly index: number;
  readonly rxFd: number;
  readonly txFd: number;
}

/**
 * Open AF_PACKET sockets on an interface, which is brought up and promiscuous while they are open.
 *
 * @throws {ShimError} without CAP_NET_RAW, or if there is no such interface.
 */
export function openPacket(name: string): PacketSetup {
  const found = findInterface(name);
  const action = `open AF_PACKET on ${name}`;
  const rxFd = check(shim.shim_packet_open(cString(name), RECEIVE_BUFFER_BYTES), action);
  try {
    if (!found?.isUp) setInterfaceUp(name, true);
    const txFd = check(shim.shim_packet_open(cString(name), 0), action);
    return { kind: "packet", name, index: found?.index ?? 0, rxFd, txFd };
  } catch (error) {
    shim.shim_fd_close(rxFd);
    throw error;
  }
}

/** A port on an existing interface, by AF_PACKET. What the interface sends itself is not received. */
export class PacketPort extends KernelPort {
  readonly name: string;
  #setup: PacketSetup;

  constructor(setup: PacketSetup, resources: PortResources) {
    super(resources);
    this.name = setup.name;
    this.#setup = setup;
  }

  get pollable(): number[] {
    return this.isUp ? [this.#setup.rxFd] : [];
  }

  override refresh(): void {
    super.refresh();
    const missed = shim.shim_packet_missed(this.#setup.rxFd);
    if (missed > 0) this.counters[COUNTER.MISSED] += missed;
  }

  protected receive(
    map: number,
    slots: Uint32Array<ArrayBuffer>,
    notes: Uint32Array<ArrayBuffer>,
    overflow: Uint8Array<ArrayBuffer>,
    count: number,
  ): number {
    return shim.shim_packet_rx(this.#setup.rxFd, map, slots, notes, overflow, count);
  }

  protected send(map: number, burst: Uint32Array<ArrayBuffer>, count: number): number {
    return shim.shim_packet_tx(this.#setup.txFd, map, burst, count);
  }

  protected discard(count: number): number {
    return shim.shim_discard(this.#setup.rxFd, count);
  }

  protected recover(): boolean {
    const found = findInterface(this.name);
    if (!found) return false;
    if (found.index === this.#setup.index) return found.isUp;
    const setup = openPacket(this.name);
    this.closeSockets();
    this.#setup = setup;
    return true;
  }

  protected closeSockets(): void {
    shim.shim_fd_close(this.#setup.rxFd);
    shim.shim_fd_close(this.#setup.txFd);
  }
}
