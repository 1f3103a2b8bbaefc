import type { Log } from "../linux/log.ts";
import { CulvertError } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import type { Peer } from "../ivshmem/peer.ts";
import { Reconnector } from "../region/reconnector.ts";
import { type OpenedRegion, openRegion } from "../region/region_source.ts";
import { HEADER } from "../memory/layout.ts";
import { mapMemoryCached } from "../region/cached_bar.ts";
import { findIvshmem, type IvshmemDevice, mapRegisters } from "../linux/pci.ts";
import { chooseIvshmem } from "../region/choose_ivshmem.ts";
import { isPath, socketPath } from "../memory/region_name.ts";
import { type Interrupts, REGISTER } from "./interrupts.ts";
import { type DeviceInterrupts, openInterrupts } from "./vfio.ts";

/** A region of this machine by its name or path, or a PCI device whose memory is the region. */
export type RegionSource = { readonly region: string } | { readonly pci: string };

/** A guest's way to a region: its memory, and its place among the region's peers. */
export interface RegionLink {
  /** The region's memory, all of it mapped. */
  readonly memory: MappedMemory;
  /** What it is, for people. */
  readonly description: string;
  /** Our peer id; undefined if we have none, so that nobody wakes us. */
  readonly peer?: number;
  /** How often we have become another peer, as the server was gone and came again. */
  readonly reconnected: number;
  /** How to be woken, and to wake the host by its peer id; undefined if neither is possible. */
  interrupts(host: number | undefined): Interrupts | undefined;
  /**
   * Read which peers have come and gone, several times a second, or the server would take us for a
   * peer that hangs. `now` is a clock in milliseconds.
   */
  poll(now: number): void;
  /** Whether the host that {@linkcode interrupts} was asked for last is known to be gone. */
  readonly hostHasLeft: boolean;
  /** Whether the region's server is gone, or has cut us off: open the region again to attach. */
  readonly isCutOff: boolean;
  /** Let go of everything. No lcore may be using it. */
  close(): void;
  /** Whether the device is still plugged in; undefined for memory that cannot vanish under us. */
  isPlugged?(): boolean;
  /**
   * Whether it is a file: it is opened again each time that a guest looks for a host. A host that
   * ends removes its file unless somebody has it, and the next host's may be another one.
   */
  readonly isFile?: boolean;
}

/**
 * Open a region.
 *
 * @returns undefined if there is none yet.
 * @throws {CulvertError} if it may not be opened.
 */
export function openRegionLink(
  source: RegionSource,
  log: Log,
): RegionLink | undefined {
  if ("region" in source) return openProcessLink(source.region, log);
  const device = chooseIvshmem(source.pci);
  return device && openDeviceLink(device, log);
}

function openProcessLink(region: string, log: Log): RegionLink | undefined {
  const opened = openRegion(region);
  if (!opened?.peer) return opened && fileLink(region, opened);
  const reconnector = new Reconnector(isPath(region) ? region : socketPath(region), log);
  return new PeerLink(region, opened, opened.peer, reconnector, log);
}

/** A region without a server: nobody wakes anybody. */
function fileLink(region: string, { memory, close }: OpenedRegion): RegionLink {
  return {
    memory,
    description: `region ${region}`,
    reconnected: 0,
    interrupts: () => undefined,
    poll() {},
    hostHasLeft: false,
    isCutOff: false,
    close,
    isFile: true,
  };
}

/**
 * The link of a process beside the host, a peer of the region's server. If the server goes, we join
 * the next one as another peer. Until then the eventfds that we have do, as they do for lcores that
 * are at work.
 */
export class PeerLink implements RegionLink {
  readonly memory: MappedMemory;
  readonly description: string;
  /**
   * The host's eventfds, which lcores may be using. Their numbers stay, what they name may change.
   */
  #used?: readonly number[];
  /** The host as the server knows it: its eventfds there, and its id. */
  #host?: { readonly eventfds: readonly number[]; readonly id: number };
  /** Hosts' eventfds that are to be closed once no lcore can be using them. */
  readonly #old: number[] = [];
  #connection: Peer;
  /** The peer as which we attached: our lcores may be waiting for its vectors. */
  #attached: Peer;
  reconnected = 0;
  hostHasLeft = false;

  /** Use the membership that `connection` is; `reconnector` finds the server again. */
  constructor(
    region: string,
    private readonly opened: OpenedRegion,
    connection: Peer,
    private readonly reconnector: Pick<Reconnector, "attempt">,
    private readonly log: Log,
  ) {
    this.memory = opened.memory;
    this.description = `region ${region}`;
    this.#connection = this.#attached = connection;
  }

  get peer(): number {
    return this.#connection.id;
  }

  get isCutOff(): boolean {
    return !this.#connection.isConnected;
  }

  interrupts(host: number | undefined): Interrupts | undefined {
    this.#closeOld();
    if (this.#attached !== this.#connection) this.#leave(this.#attached);
    this.#attached = this.#connection;
    this.#used = host === undefined ? undefined : this.#connection.others.get(host);
    this.#host = this.#used && { eventfds: this.#used, id: host! };
    this.hostHasLeft = false;
    return this.#used && { vectors: this.#connection.vectors, host: { eventfds: this.#used } };
  }

  poll(now: number): void {
    for (const event of this.#connection.poll()) {
      if (event.kind === "server-gone") {
        this.log(`the server is gone (${event.reason}): forwarding goes on`, { level: "warning" });
      } else if (event.kind === "left") this.#forget(event.eventfds);
    }
    if (!this.#connection.isConnected) this.#joinAgain(now);
    if (this.reconnected > 0) this.#followHost();
  }

  close(): void {
    this.#closeOld();
    for (const peer of new Set([this.#attached, this.#connection])) this.#leave(peer);
    this.opened.close();
  }

  #forget(eventfds: readonly number[]): void {
    if (eventfds === this.#host?.eventfds) this.hostHasLeft = true;
    this.#letGo(eventfds);
  }

  #letGo(eventfds: readonly number[]): void {
    if (eventfds === this.#used) this.#old.push(...eventfds);
    else for (const fd of eventfds) shim.shim_fd_close(fd);
  }

  #closeOld(): void {
    for (const fd of this.#old.splice(0)) shim.shim_fd_close(fd);
  }

  /** Close a former membership, but not the first one, which the caller closes. */
  #leave(peer: Peer): void {
    if (peer !== this.opened.peer) peer.close();
  }

  #joinAgain(now: number): void {
    const peer = this.reconnector.attempt(this.#connection, now);
    if (peer === undefined) return;
    const last = this.#connection;
    for (const eventfds of last.takeOthers()) this.#letGo(eventfds);
    if (last !== this.#attached) this.#leave(last);
    this.reconnected++;
    this.#connection = peer;
    this.log(`the server is there again: we are peer ${peer.id}`);
  }

  /** The host finds the server again too, and says in the region which peer it is. */
  #followHost(): void {
    const id = this.memory.load(HEADER.HOST_PEER) - 1;
    if (this.#used === undefined || id === this.#host?.id) return;
    const eventfds = this.#connection.others.get(id);
    if (eventfds === undefined) return;
    this.#host = { eventfds, id };
    this.#used.forEach((fd, vector) => {
      if (vector < eventfds.length) shim.shim_fd_copy(eventfds[vector], fd);
    });
  }
}

/** In a VM: a PCI device, with interrupts if it is an ivshmem-doorbell and vfio has it. */
function openDeviceLink(device: IvshmemDevice, log: Log): RegionLink {
  const { address, bytes } = device;
  const interrupts = device.hasInterrupts ? tryInterrupts(address, log) : undefined;
  const mapped: MappedMemory[] = [];
  const close = () => {
    for (const of of mapped) of.close();
    interrupts?.close();
  };
  try {
    mapped.push(mapMemoryCached(device, log));
    if (interrupts) mapped.push(mapRegisters(device));
  } catch (error) {
    close();
    throw error;
  }
  const [memory, registers] = mapped;
  const word = device.registersOffset / 4;
  return {
    memory,
    description: `region is PCI device ${address}, BAR2, ${bytes / 2 ** 20} MiB, ` +
      (interrupts ? `${interrupts.vectors.length} interrupts` : "no interrupts"),
    peer: registers?.load(word + REGISTER.IV_POSITION),
    reconnected: 0,
    interrupts(host) {
      if (!interrupts || host === undefined) return undefined;
      return {
        vectors: interrupts.vectors,
        host: { registers: registers.handle, doorbell: word + REGISTER.DOORBELL, peer: host },
      };
    },
    poll() {},
    hostHasLeft: false,
    isCutOff: false,
    close,
    isPlugged: () => findIvshmem(address) !== undefined,
  };
}

function tryInterrupts(address: string, log: Log): DeviceInterrupts | undefined {
  try {
    return openInterrupts(address);
  } catch (error) {
    if (!(error instanceof CulvertError)) throw error;
    log(`no interrupts, so idle lcores poll: ${error.message}`, { level: "warning" });
  }
}
