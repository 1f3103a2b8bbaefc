import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { GUEST, PEER_BITS, ZONE_KIND } from "../memory/layout.ts";
import type { Region } from "../memory/region.ts";

/** The lives of a guest, as the region's STATE word tells them. */
export const GUEST_STATE = {
  ABSENT: 0,
  ATTACHING: 1,
  RUNNING: 2,
  DETACHING: 3,
  QUARANTINED: 4,
  RETIRED: 5,
} as const;

/** The states' names, by number. */
export const GUEST_STATE_NAMES = Object.keys(GUEST_STATE) as (keyof typeof GUEST_STATE)[];

const { ABSENT, ATTACHING, RUNNING, DETACHING, QUARANTINED, RETIRED } = GUEST_STATE;

/**
 * Who may change the state from what to what. What is not here is forbidden; the reasons:
 *
 * - ABSENT -> RUNNING: the host must reset the rings in between.
 * - RUNNING -> ATTACHING: the frames that the guest holds would be forgotten.
 * - RUNNING -> ABSENT by the guest: only the host can tell that all mbufs are back.
 * - RETIRED -> ABSENT or ATTACHING by the guest: a paused guest may yet write to frames that it held,
 *   so the host lends them to nobody until it, or its successor in the same machine, says otherwise.
 * - QUARANTINED -> anything by the guest: it is not to be trusted again in this host's life.
 */
export const TRANSITIONS: readonly { by: "guest" | "host"; from: number; to: number }[] = [
  { by: "guest", from: ABSENT, to: ATTACHING }, // claims the place; two at once: one CAS fails
  { by: "host", from: ATTACHING, to: RUNNING }, // rings are reset, forwarding may begin
  { by: "guest", from: ATTACHING, to: DETACHING }, // gives up waiting
  { by: "guest", from: RUNNING, to: DETACHING }, // has stopped touching mbufs
  { by: "host", from: DETACHING, to: ABSENT }, // mbufs taken back
  { by: "host", from: ATTACHING, to: ABSENT }, // died while it waited
  { by: "host", from: RUNNING, to: ABSENT }, // died: its connection to the server is closed
  { by: "host", from: RUNNING, to: RETIRED }, // heartbeat stopped: dead, or only paused
  { by: "guest", from: RETIRED, to: DETACHING }, // was paused, and touches nothing any more
  { by: "host", from: RETIRED, to: ABSENT }, // is gone for sure, or its mbufs are needed
  { by: "host", from: ATTACHING, to: QUARANTINED },
  { by: "host", from: RUNNING, to: QUARANTINED },
  { by: "host", from: DETACHING, to: QUARANTINED },
];

/** The largest peer id. */
const PEER_MAX = 65535;

/** A guest's control memzone: state, heartbeat, incarnation. */
export class GuestState {
  readonly #memory: MappedMemory;
  readonly #start: number;
  #retired?: number;

  private constructor(memory: MappedMemory, offset: number, readonly channels: number) {
    this.#memory = memory;
    this.#start = offset >>> 2;
  }

  /** Add the memzone of `guest`, which will have `channels` channels, to a region being built. */
  static add(region: Region, guest: number, channels: number): GuestState {
    const zone = region.addMemzone(`g${guest}`, ZONE_KIND.GUEST, GUEST.BYTES, channels);
    return new GuestState(region.memory, zone.offset, channels);
  }

  /**
   * Find the memzone of `guest`.
   *
   * @throws {CulvertError} if the region has no place for such a guest.
   */
  static attach(region: Region, guest: number): GuestState {
    const zone = region.zone(`g${guest}`, ZONE_KIND.GUEST);
    return new GuestState(region.memory, zone.offset, zone.parameter);
  }

  /** The state word. The host must not believe it further than it has checked. */
  get state(): number {
    return this.#memory.load(this.#start + GUEST.STATE);
  }

  /** The state's name. */
  get stateName(): string {
    return GUEST_STATE_NAMES[this.state] ?? `state ${this.state}`;
  }

  /**
   * Change the state, if {@linkcode TRANSITIONS} allows it and it is still `from`.
   *
   * @returns whether it was changed.
   */
  move(by: "guest" | "host", from: number, to: number): boolean {
    const allowed = TRANSITIONS.some((t) => t.by === by && t.from === from && t.to === to);
    return allowed && this.#memory.compareAndSwap(this.#start + GUEST.STATE, from, to);
  }

  /** Host: the guest is gone, its mbufs are back, and whatever it wrote here last does not matter. */
  clear(): void {
    this.#memory.store(this.incarnationWord, this.#lastIncarnation); // or the next cannot introduce itself
    this.#memory.store(this.#start + GUEST.STATE, ABSENT);
  }

  /** Host: nobody is let in here any more. */
  quarantine(): void {
    this.#memory.store(this.#start + GUEST.STATE, QUARANTINED);
  }

  /** Guest: say that it is alive. */
  beat(): void {
    const word = this.#start + GUEST.HEARTBEAT;
    this.#memory.store(word, (this.#memory.load(word) + 1) >>> 0);
  }

  /** A number that changes while the guest lives. */
  get heartbeat(): number {
    return this.#memory.load(this.#start + GUEST.HEARTBEAT);
  }

  /**
   * Guest: who it is, once the place is its own. The host lets it in only then.
   *
   * @param wantsMbufs Whether it wants to be lent empty mbufs.
   * @param peer Its peer id, if it has one.
   * @param rings Whether it wakes the host.
   * @param incarnation The one that it has claimed: the next.
   */
  introduce(
    pid: number,
    wantsMbufs: boolean,
    peer?: number,
    rings = false,
    incarnation: number = (this.incarnation + 1) >>> 0,
  ): void {
    this.#memory.store(this.#start + GUEST.PID, pid);
    this.#memory.store(this.#start + GUEST.WANTS_MBUFS, wantsMbufs ? 1 : 0);
    this.#memory.store(this.#start + GUEST.PEER, peer === undefined ? 0 : peer + 1);
    this.#memory.store(this.#start + GUEST.RINGS, rings ? 1 : 0);
    this.#memory.store(this.#start + GUEST.INTRODUCED, incarnation); // the last
  }

  /** Guest: its peer id at a server that has taken the place of one that is gone, for the `times`-th time. */
  introduceAgain(peer: number, times: number): void {
    const word = (times << PEER_BITS | peer + 1) >>> 0;
    if (word !== this.peerWord) this.#memory.store(this.#start + GUEST.PEER, word);
  }

  /** Changes with each server that the guest is at, even if the peer id there is the same. */
  get peerWord(): number {
    return this.#memory.load(this.#start + GUEST.PEER);
  }

  /** Whether the guest that waits to be let in has said who it is. */
  get isIntroduced(): boolean {
    return this.#memory.load(this.#start + GUEST.INTRODUCED) ===
      (this.#lastIncarnation + 1) >>> 0;
  }

  /** Whether what the guest says of itself can be. A peer that we do not know may just have joined. */
  get isPlausible(): boolean {
    const flags = this.#memory.load(this.#start + GUEST.WANTS_MBUFS) |
      this.#memory.load(this.#start + GUEST.RINGS);
    return flags >>> 0 <= 1 && this.#memory.load(this.#start + GUEST.PEER) <= PEER_MAX + 1;
  }

  /** Whether the guest wakes the host, as it says. */
  get rings(): boolean {
    return this.#memory.load(this.#start + GUEST.RINGS) === 1;
  }

  /** Whether the host wakes the guest, as it says. */
  get isRung(): boolean {
    return this.#memory.load(this.#start + GUEST.RUNG) === 1;
  }

  /** Host: say so, before the guest is let in. */
  set isRung(isRung: boolean) {
    this.#memory.store(this.#start + GUEST.RUNG, isRung ? 1 : 0);
  }

  /** The peer id that the guest gave; undefined if none. To be checked: it may name another. */
  get peer(): number | undefined {
    const peer = this.peerWord & ((1 << PEER_BITS) - 1);
    return peer === 0 ? undefined : peer - 1;
  }

  /**
   * Guest: whether `peer` may speak for a guest that was retired here: the same process or machine, as its
   * peer id tells, or anybody where it had none.
   */
  maySucceed(peer: number | undefined): boolean {
    return this.state === RETIRED && (this.peer === undefined || this.peer === peer);
  }

  /** Whether the guest is asked to detach, and not to come back until this is taken back. */
  get isAskedToLeave(): boolean {
    return this.#memory.load(this.#start + GUEST.LEAVE) !== 0;
  }

  /** Host's side: ask the guest to leave, or take that back. */
  askToLeave(isAsked: boolean): void {
    this.#memory.store(this.#start + GUEST.LEAVE, isAsked ? 1 : 0);
  }

  /** The process id that the guest gave: of its own world, a VM's is not the host's. */
  get pid(): number {
    return this.#memory.load(this.#start + GUEST.PID);
  }

  /** Whether the guest asked for empty mbufs. */
  get wantsMbufs(): boolean {
    return this.#memory.load(this.#start + GUEST.WANTS_MBUFS) === 1;
  }

  /** Counts the guests that this place has had. */
  get incarnation(): number {
    return this.#memory.load(this.incarnationWord);
  }

  /** Where the incarnation lies, for a guest's lcore to watch. */
  get incarnationWord(): number {
    return this.#start + GUEST.INCARNATION;
  }

  /** Host: retire the guest that is or was there. It must not touch an mbuf from now on. */
  retire(): void {
    this.#retired = (this.#lastIncarnation + 1) >>> 0;
    this.#memory.store(this.incarnationWord, this.#retired);
  }

  /** Host: the incarnation as it was written last, whatever a guest has made of the word. */
  get #lastIncarnation(): number {
    return this.#retired ?? this.incarnation;
  }
}
