import { CulvertError } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { type ChannelDescription, type ChannelPlace, findChannel } from "../channel/channel.ts";
import { GUEST_STATE, GuestState } from "../channel/guest_state.ts";
import { HEADER, ZONE_KIND } from "../memory/layout.ts";
import { Region, RegionNotReadyError } from "../memory/region.ts";
import type { MbufGeometry } from "../mempool/mbuf.ts";

/** How long a host may take to let a guest in. */
const ADMISSION_MS = 5000;

/** How long a host may take to take a leaving guest's mbufs back. */
const DETACH_MS = 1000;

/** A host that has not said for so long that it lives has died: by name, another will have other memory. */
export const HOST_TIMEOUT_MS = 3000;

/** Guests are asked to leave the region, and to stay away. */
export class AskedToLeaveError extends CulvertError {}

/** When a guest's right to touch the region ends, for its lcores to see; survives `postMessage`. */
export interface Lease {
  /** The region's epoch when the guest was let in; any other means that this host is gone. */
  readonly epoch: number;
  /** The place's incarnation then; the host counts on to retire this guest. */
  readonly incarnation: number;
  /** Where the host counts incarnations: a word index in the region. */
  readonly incarnationWord: number;
}

/** Whether the lease has run out: the host is another, or has retired this guest. */
export function isOver(memory: MappedMemory, lease: Lease): boolean {
  return memory.load(lease.incarnationWord) !== lease.incarnation ||
    memory.load(HEADER.EPOCH) !== lease.epoch;
}

/** The host's peer id; undefined if it has none. */
export function hostPeerOf(memory: MappedMemory): number | undefined {
  const peer = memory.load(HEADER.HOST_PEER);
  return peer === 0 ? undefined : peer - 1;
}

/** A guest's place in a region, held from {@linkcode Attachment.claim} to {@linkcode leave}. */
export class Attachment {
  /** When it ends; lcores are sent this and ask {@linkcode isOver} once a turn. */
  readonly lease: Lease;
  /** Where the region's mbufs lie, as its directory said when the place was claimed. */
  readonly geometry: MbufGeometry;
  /** The virtual ports, by number. */
  readonly channels: readonly (ChannelDescription & { place: ChannelPlace })[];

  #hostHeartbeat = 0;
  #hostBeatAt = performance.now();

  private constructor(
    region: Region,
    guest: number,
    private readonly state: GuestState,
    incarnation: number,
  ) {
    const { incarnationWord } = state;
    const { offset, size, parameter } = region.zone("mbufs", ZONE_KIND.MBUFS);
    this.memory = region.memory;
    this.lease = { epoch: region.knownEpoch, incarnation, incarnationWord };
    this.geometry = { offset, stride: parameter, count: Math.floor(size / parameter) };
    this.channels = Array.from(
      { length: state.channels },
      (_, port) => findChannel(region, guest, port),
    );
  }

  /** The region's memory. */
  readonly memory: MappedMemory;

  /**
   * Claim the place of guest number `guest`, and wait until the host has let us in.
   *
   * @param wantsMbufs Whether to be lent empty mbufs, to originate frames.
   * @param peer Our peer id, if we have one.
   * @param notifies Whether we wake the host.
   * @throws {RegionNotReadyError} if there is no host, or it does not answer.
   * @throws {AskedToLeaveError} if guests are to stay away.
   * @throws {CulvertError} if the region is not sound, or the place is taken.
   */
  static async claim(
    memory: MappedMemory,
    name: string,
    guest: number,
    wantsMbufs: boolean,
    peer?: number,
    notifies = false,
  ): Promise<Attachment> {
    const refuse = (found: string, wanted: string, Kind = CulvertError) =>
      new Kind(`Cannot attach to region ${name} as ${found}: ${wanted}`);
    const region = Region.attach(memory, name);
    const { knownEpoch: epoch } = region;
    const state = GuestState.attach(region, guest);
    if (state.isAskedToLeave) {
      throw refuse(
        "guests are asked to leave it",
        "it is being unplugged (culvert unplug)",
        AskedToLeaveError,
      );
    }
    if (state.takeOver(peer)) {
      await until(() => state.state !== GUEST_STATE.DETACHING, DETACH_MS);
    }
    if (state.state === GUEST_STATE.QUARANTINED) {
      throw refuse(
        `guest ${guest} is in quarantine`,
        "see in the host's log what it did; a host that is started anew lets it in",
      );
    }
    const incarnation = state.claim({ pid: Deno.pid, wantsMbufs, peer, notifies });
    if (incarnation === undefined) {
      throw refuse(
        `guest ${guest} is there already (${state.stateName}, pid ${state.pid} in its own world)`,
        "stop that one, or wait 2 s if it has died",
      );
    }
    const isWaiting = () => state.state === GUEST_STATE.ATTACHING && region.epoch === epoch;
    if (!await until(() => !isWaiting(), ADMISSION_MS, () => state.beat())) {
      state.move("guest", GUEST_STATE.ATTACHING, GUEST_STATE.DETACHING);
      throw refuse(
        "its host does not answer",
        "is it running? start it again",
        RegionNotReadyError,
      );
    }
    if (state.state !== GUEST_STATE.RUNNING || region.epoch !== epoch) {
      const { stateName } = state;
      state.move("guest", GUEST_STATE.ATTACHING, GUEST_STATE.DETACHING); // lest it stay claimed
      throw refuse(`its host says ${stateName}`, "see what the host logs, and try again");
    }
    return new Attachment(region, guest, state, incarnation);
  }

  /** Whether the host is another, or has retired this guest. */
  get isOver(): boolean {
    return isOver(this.memory, this.lease);
  }

  /** Whether the host's side asks us to leave. */
  get isAskedToLeave(): boolean {
    return this.state.isAskedToLeave;
  }

  /** Whether the host wakes us. */
  get isNotified(): boolean {
    return this.state.isNotified;
  }

  /** Say which peer we are, since our server has gone and come again so many times. */
  tellPeer(peer: number | undefined, times: number): void {
    if (peer !== undefined && times > 0 && !this.isOver) this.state.introduceAgain(peer, times);
  }

  /**
   * Say that this guest is alive, and see whether the host is; some times a second.
   *
   * @returns false once the host has been silent for {@linkcode HOST_TIMEOUT_MS}.
   */
  beat(): boolean {
    if (!this.isOver) this.state.beat();
    const heartbeat = this.memory.load(HEADER.HEARTBEAT);
    const now = performance.now();
    if (heartbeat !== this.#hostHeartbeat) this.#hostBeatAt = now;
    this.#hostHeartbeat = heartbeat;
    return now - this.#hostBeatAt < HOST_TIMEOUT_MS;
  }

  /** Whether the host has taken us for dead, and withholds what we held. */
  get isTakenForDead(): boolean {
    return this.isRetired && this.state.state === GUEST_STATE.RETIRED;
  }

  /** Whether the host has retired us, and nobody is in our place yet. */
  get isRetired(): boolean {
    const { incarnation, epoch } = this.lease;
    return this.state.incarnation === (incarnation + 1) >>> 0 &&
      this.memory.load(HEADER.EPOCH) === epoch;
  }

  /**
   * Leave, and wait for the host to take back what it lent. No lcore may be using the region. A guest that
   * was paused, and has been retired meanwhile, acknowledges so: the host may lend its mbufs again.
   */
  async leave(): Promise<void> {
    const { state } = this;
    if (this.isOver && !this.isRetired) return;
    const isOurs = state.move("guest", GUEST_STATE.RUNNING, GUEST_STATE.DETACHING) ||
      state.move("guest", GUEST_STATE.RETIRED, GUEST_STATE.DETACHING);
    if (!isOurs) return;
    await until(() => state.state !== GUEST_STATE.DETACHING || this.#isReplaced, DETACH_MS);
  }

  get #isReplaced(): boolean {
    return this.isOver && !this.isRetired;
  }
}

/** Wait until `isDone`, looking every 5 ms; false if it takes longer than `limit` milliseconds. */
async function until(isDone: () => boolean, limit: number, meanwhile = () => {}): Promise<boolean> {
  for (const start = performance.now(); !isDone();) {
    if (performance.now() - start > limit) return false;
    meanwhile();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return true;
}
