import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { type ChannelDescription, type ChannelPlace, findChannel } from "../channel/channel.ts";
import { GUEST_STATE, type GuestState } from "../channel/guest_state.ts";
import { PushBox, type PushedText } from "../channel/push_box.ts";
import { HeartbeatWatch } from "../channel/heartbeat_watch.ts";
import { HEADER } from "../memory/layout.ts";
import type { Region } from "../memory/region.ts";
import { type MbufGeometry, mbufsIn } from "../mempool/mbuf.ts";

/** How long a host may take to take back the mbufs of a guest that leaves. */
export const DETACH_MS = 1000;

/** A host whose heartbeat stands still for so long has died: another one may have other memory. */
export const HOST_TIMEOUT_MS = 3000;

/** When a guest's right to touch the region ends, for its lcores to see; survives `postMessage`. */
export interface Lease {
  /** The region's epoch when the guest was let in; any other means that this host is gone. */
  readonly epoch: number;
  /** The place's incarnation then; the host counts on to retire this guest. */
  readonly incarnation: number;
  /** Where the host counts incarnations: a word index in the region. */
  readonly incarnationWord: number;
  /** Where the guest says that it is alive: a word index in the region. */
  readonly heartbeatWord: number;
}

/** A text that was pushed to this guest. */
export interface Push {
  /** What it is. */
  readonly text: PushedText;
  /** Say what has become of it: the state is one of `PUSH_STATE`. */
  answer(state: number, text: string): void;
}

/** A channel, and the port and queue that it is for. */
export interface FoundChannel extends Required<ChannelDescription> {
  /** Where it lies. */
  readonly place: ChannelPlace;
  /** Its virtual port's number. */
  readonly port: number;
  /** Its queue's number there. */
  readonly queue: number;
}

/** The `count` channels of a guest. */
function channelsIn(region: Region, guest: number, count: number): FoundChannel[] {
  const found: FoundChannel[] = [];
  for (let port = 0; found.length < count; port++) {
    let queue = 0;
    do {
      found.push({ ...findChannel(region, guest, port, queue), port, queue });
    } while (++queue < found[found.length - 1].queues && found.length < count);
  }
  return found;
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

/** A guest's place in a region, which its `Claim` got, until it has left. */
export class Attachment {
  /** The region's memory. */
  readonly memory: MappedMemory;
  /** When the guest's right to it ends. Lcores get this and ask {@linkcode isOver} once a turn. */
  readonly lease: Lease;
  /** Where the region's mbufs lie, as its directory said when the place was claimed. */
  readonly geometry: MbufGeometry;
  /** The channels of all virtual ports and their queues, by number. */
  readonly channels: readonly FoundChannel[];
  readonly #host: HeartbeatWatch;
  #pushes?: { readonly box: PushBox; last: number };

  /**
   * The place of `guest`, which the host has let in as `incarnation`.
   *
   * @param now A clock in milliseconds.
   */
  constructor(
    private readonly region: Region,
    private readonly guest: number,
    private readonly state: GuestState,
    incarnation: number,
    now: number,
  ) {
    const { incarnationWord, heartbeatWord } = state;
    this.memory = region.memory;
    this.lease = { epoch: region.knownEpoch, incarnation, incarnationWord, heartbeatWord };
    this.geometry = mbufsIn(region);
    this.channels = channelsIn(region, guest, state.channels);
    this.#host = new HeartbeatWatch(0, now);
    state.clearBusy();
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

  /** Say whether our functions take super-frames: from the next look on, the host acts on it. */
  tellOffloads(offloads: boolean): void {
    if (!this.isOver) this.state.offloads = offloads;
  }

  /** Say which peer we are, now that our server was replaced `times` times. */
  tellPeer(peer: number | undefined, times: number): void {
    if (peer !== undefined && times > 0 && !this.isOver) this.state.introduceAgain(peer, times);
  }

  /**
   * Say that this guest is alive, and see whether the host is; several times a second.
   *
   * @param now The same clock.
   * @returns false once the host has been silent for {@linkcode HOST_TIMEOUT_MS}.
   */
  beat(now: number): boolean {
    if (!this.isOver) this.state.beat();
    return this.#host.silence(this.memory.load(HEADER.HEARTBEAT), now) < HOST_TIMEOUT_MS;
  }

  /** Show in the region what functions count in each lcore; several times a second. */
  showCounters(lcores: readonly ArrayBufferLike[]): void {
    if (!this.isOver) this.state.showCounters(lcores);
  }

  /**
   * Say whether functions that are pushed from now on are taken.
   *
   * @throws {CulvertError} if they are to be, and the region has no memzone for them.
   */
  takePushes(areTaken: boolean): void {
    const box = areTaken ? PushBox.find(this.region) : undefined;
    this.#pushes = box && { box, last: box.sequence };
    this.state.takesPushes = areTaken;
  }

  /** What was pushed since the last time, if anything: its sender is told that it was seen. */
  nextPush(): Push | undefined {
    const pushes = this.#pushes;
    const text = pushes && !this.isOver ? pushes.box.take(this.guest, pushes.last) : undefined;
    if (!pushes || !text) return undefined;
    const { sequence } = text;
    pushes.last = sequence;
    pushes.box.see(sequence);
    const answer = (state: number, text: string) => {
      if (!this.isOver) pushes.box.answer(sequence, { state, text });
    };
    return { text, answer };
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
   * Begin to leave. No lcore may be using the region. By this a guest that was paused, and has been
   * retired meanwhile, acknowledges that: the host may lend its mbufs again.
   *
   * @returns a function that tells whether the host has taken back what it lent, or never will.
   */
  leave(now: number): (now: number) => boolean {
    const { state } = this;
    if (this.isOver && !this.isRetired) return () => true;
    const isOurs = state.move("guest", GUEST_STATE.RUNNING, GUEST_STATE.DETACHING) ||
      state.move("guest", GUEST_STATE.RETIRED, GUEST_STATE.DETACHING);
    if (!isOurs) return () => true;
    const end = now + DETACH_MS;
    return (now) =>
      state.state !== GUEST_STATE.DETACHING || this.isOver && !this.isRetired || now > end;
  }
}
