import { type Advice, check } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import type { Burst } from "../ring/burst.ts";
import {
  findInterface,
  findInterfaceAgain,
  lookAgain,
  setInterfaceMtu,
  setInterfaceUp,
} from "./interface.ts";
import { KernelPort } from "./kernel_port.ts";
import { newQueues, type QueueSetup, WAITING_MAX } from "./port_queue.ts";
import type { PortResources } from "./port_resources.ts";

/** An open TAP port; survives `postMessage`. */
export interface TapSetup {
  /** Tells it from other setups: {@linkcode TapPort} takes it. */
  readonly kind: "tap";
  /** As the command line names it: `tap0` for `tap:tap0`. */
  readonly name: string;
  /** The number of the interface that is open. */
  readonly index: number;
  /** The descriptor that frames are read from and written to, without blocking. */
  readonly fd: number;
  /** MTU in bytes that was asked for. */
  readonly mtu: number;
  /** Whether we made it, and so make it again if somebody deletes it. */
  readonly created: boolean;
  /** The queue that the descriptor is of, if the port has several. */
  readonly queue?: QueueSetup;
  /**
   * The descriptor that is kept for the port's next host: when the port opens another TAP, it makes
   * this name it.
   */
  readonly kept?: readonly number[];
}

const EBADFD = 77;

/** `RX_COUNT` and `TX_ZEROS` in shim/burst.h: there is an offload header before each frame. */
const HAS_HEADERS = 1 << 24, ZERO_HEADERS = -2;

/** ioctl (linux/if_tun.h): its value is a set of TUN_F_CSUM, TSO4, TSO6, USO4 and USO6. */
const TUNSETOFFLOAD = 0x400454d0, OFFLOADS = 0x67;
/** Before Linux 6.2 there was no USO. */
const OFFLOADS_OF_OLD = 0x07;

/** ioctl: fills in a `struct ifreq`, which begins with the interface's name. */
const TUNGETIFF = 0x800454d2, IFREQ_BYTES = 40;

const NO_TUN =
  "there is no TUN device here: modprobe tun; a container has to be given /dev/net/tun";

const ADVICE: Advice = {
  EINVAL: "it exists, and has one queue: ip link delete NAME, then make it with " +
    "ip tuntap add NAME mode tap multi_queue, or have the host make it",
  EBUSY: "another program has it open; close that, or use another name",
  EPERM: "run as root, grant CAP_NET_ADMIN, or make it beforehand: " +
    "ip tuntap add NAME mode tap user $USER",
  EACCES: "see who may open /dev/net/tun (ls -l), or run as root",
  ENOENT: NO_TUN,
  ENODEV: NO_TUN,
  ENXIO: NO_TUN,
};

/**
 * Open a TAP: an existing one, or a new one that disappears when it is closed. A new one gets
 * `mtu`; both are brought up.
 *
 * @param queues How many of it are opened.
 * @throws {ShimError} without CAP_NET_ADMIN (an existing one of one's own needs none), or if it is
 *   in use, or exists with one queue where several are wanted.
 */
export function openTaps(name: string, mtu: number, queues: number): TapSetup[] {
  const { fds, ...setup } = openQueues(name, mtu, queues, queues > 1);
  if (queues === 1) return [{ ...setup, fd: fds[0] }];
  for (const fd of fds) shim.shim_discard(fd, WAITING_MAX);
  return newQueues(queues, setup.index).map((queue, i) => ({ ...setup, fd: fds[i], queue }));
}

/** Open `count` of a TAP's queues. */
function openQueues(name: string, mtu: number, count: number, isMulti: boolean) {
  const before = findInterface(name);
  const fds: number[] = [];
  const action = `open TAP ${name}${isMulti ? " with several queues" : ""}`;
  try {
    while (fds.length < count) {
      fds.push(check(shim.shim_tap_open(cString(name), isMulti ? 1 : 0), action, ADVICE));
    }
    if (!before) setInterfaceMtu(name, mtu);
    if (!before?.isUp) setInterfaceUp(name, true);
    const { index } = findInterface(name)!;
    return { kind: "tap", name, index, mtu, created: !before, fds } as const;
  } catch (error) {
    for (const fd of fds) shim.shim_fd_close(fd);
    throw error;
  }
}

/** The number of the interface that a TAP's descriptor is of; undefined if that is gone. */
export function tapIndex(fd: number): number | undefined {
  const request = new Uint8Array(IFREQ_BYTES);
  if (shim.shim_ioctl(fd, TUNGETIFF, request, 0) < 0) return undefined;
  return findInterface(new TextDecoder().decode(request).replace(/\0[^]*/, ""))?.index;
}

/** A port on a TAP: what the kernel sends to the interface is received here, and the other way. */
export class TapPort extends KernelPort {
  /** The interface's name. */
  readonly name: string;
  #setup: TapSetup;
  #isOffloaded = false;

  /** Takes over the descriptor of `setup`: closing the port closes it. */
  constructor(setup: TapSetup, resources: PortResources) {
    super(resources, setup.queue);
    this.name = setup.name;
    this.#setup = setup;
  }

  /** The TAP's descriptor; none while it is down or gone. */
  get pollable(): number[] {
    return this.isUp ? [this.#setup.fd] : [];
  }

  /** Also sees whether the interface was set down: a write fails then, but a read does not. */
  override refresh(): void {
    const { index } = this.#setup;
    const found = this.isUp ? lookAgain(index, this.name) : undefined;
    if (found?.index === index) this.isUp = found.isUp;
    super.refresh();
  }

  /** The first frame by `readv()`, the others of the burst by `io_submit()`. */
  protected receive(map: number, slots: Burst, word: number, room: number, count: number): number {
    const { fd } = this.#setup;
    return shim.shim_tap_rx(fd, map, slots.map, word, room, count | HAS_HEADERS);
  }

  /** By one `io_submit()` for 32 frames. */
  protected send(map: number, burst: Burst, count: number, at: number, headers: number): number {
    const word = burst.word + (at << 1);
    const before = headers < 0 ? ZERO_HEADERS : headers;
    return shim.shim_tap_tx(this.#setup.fd, map, burst.map, word, count, before);
  }

  /**
   * Let the kernel hand super-frames and partial checksums over, or have it cut and complete them:
   * it is quicker at that than we are.
   */
  protected override offload(isOn: boolean): void {
    this.#isOffloaded = isOn;
    const { fd } = this.#setup;
    for (const offloads of isOn ? [OFFLOADS, OFFLOADS_OF_OLD] : [0]) {
      if (shim.shim_ioctl(fd, TUNSETOFFLOAD, null, offloads) >= 0) return;
    }
  }

  /** By one `read()` a frame, of its first 64 bytes. */
  protected discard(count: number): number {
    return shim.shim_discard(this.#setup.fd, count);
  }

  /**
   * A TAP that we made is made again if it is gone; another one of the same name is opened.
   *
   * @throws {CulvertError} if that cannot be done.
   */
  protected recover(): boolean {
    const found = findInterfaceAgain(this.#setup.index, this.name);
    if (found?.index === this.#setup.index) return found.isUp;
    if (!found && this.#isElsewhere()) return true; // a send tells if it is down there
    if (!found && !this.#setup.created) return false;
    this.queue?.moveTo(0);
    const { mtu, queue, kept } = this.#setup;
    const { index, fds: [fd] } = openQueues(this.name, mtu, 1, queue !== undefined);
    shim.shim_fd_close(this.#setup.fd);
    kept?.forEach((kept) => shim.shim_fd_copy(fd, kept));
    this.#setup = { ...this.#setup, index, fd };
    this.offload(this.#isOffloaded);
    this.queue?.moveTo(index);
    return true;
  }

  /** Whether a frame that the interface sends arrives anywhere. */
  protected hasCarrier(): boolean {
    return findInterfaceAgain(this.#setup.index, this.name)?.hasCarrier ?? true;
  }

  /** The interface's MTU; what it was made with if it is in another namespace. */
  protected mtu(): number {
    return findInterfaceAgain(this.#setup.index, this.name)?.mtu ?? this.#setup.mtu;
  }

  /**
   * Whether the TAP is in another network namespace now. The descriptor of a deleted one is dead.
   */
  #isElsewhere(): boolean {
    return shim.shim_discard(this.#setup.fd, 1) !== -EBADFD;
  }

  /**
   * A TAP that we made disappears with its descriptor; another one is as it was, for the next
   * program.
   */
  protected closeSockets(): void {
    this.offload(false);
    shim.shim_fd_close(this.#setup.fd);
  }
}
