import { CulvertError } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { BUSY_LCORES, GUEST, guestBytes, ZONE_KIND } from "../memory/layout.ts";
import type { Region } from "../memory/region.ts";
import { copyCounters } from "./function_counters.ts";
import * as word from "./state_word.ts";
import { GUEST_STATE, GUEST_STATE_NAMES, TRANSITIONS } from "./transitions.ts";

export { GUEST_STATE, GUEST_STATE_NAMES };

const { ABSENT, ATTACHING, RUNNING, DETACHING, QUARANTINED, RETIRED } = GUEST_STATE;

/** The largest peer id. */
const PEER_MAX = 65535;

/**
 * A guest's control memzone: state, heartbeat, incarnation.
 *
 * The state is one word, which also says which guest it is of. So a claim is one compare-and-swap,
 * with nothing left to write after it; and a guest that was paused cannot change the state of its
 * successor: its swap fails.
 */
export class GuestState {
  readonly #memory: MappedMemory;
  readonly #start: number;
  readonly #epoch: number;
  /** Host: the incarnation as it was written last, whatever a guest has written over it. */
  #retired?: number;
  /** Guest: its own state word; the state in it does not matter. */
  #claimed?: number;

  private constructor(region: Region, offset: number, readonly channels: number) {
    this.#memory = region.memory;
    this.#start = offset >>> 2;
    this.#epoch = region.knownEpoch;
  }

  /** Add the memzone of `guest`, which will have `channels` channels, to a region being built. */
  static add(region: Region, guest: number, channels: number): GuestState {
    const zone = region.addMemzone(`g${guest}`, ZONE_KIND.GUEST, guestBytes(channels), channels);
    const state = new GuestState(region, zone.offset, channels);
    state.#retired = 0;
    state.clear();
    return state;
  }

  /**
   * Find the memzone of `guest`.
   *
   * @throws {CulvertError} if the region has no place for such a guest.
   */
  static attach(region: Region, guest: number): GuestState {
    const places = region.zones.filter(({ kind }) => kind === ZONE_KIND.GUEST);
    const zone = places.find(({ name }) => name === `g${guest}`);
    if (zone === undefined) {
      const there = places.map(({ name }) => name.slice(1)).join(", ");
      throw new CulvertError(
        `Cannot use region ${region.name} as guest ${guest} as it has no place for that guest: ` +
          `it has places for ${there || "none"}; see --guest of the host and of the guest`,
      );
    }
    if (zone.size < guestBytes(zone.parameter)) {
      throw new CulvertError(
        `Cannot use memzone ${zone.name} of region ${region.name} as it has ${zone.size} bytes: ` +
          `${guestBytes(zone.parameter)} are wanted for ${zone.parameter} channels`,
      );
    }
    return new GuestState(region, zone.offset, zone.parameter);
  }

  /** The whole state word. The host loads it once, and believes only what it has checked. */
  get word(): number {
    return this.#memory.load(this.#start + GUEST.STATE);
  }

  /** The state in the word. */
  get state(): number {
    return word.stateOf(this.word);
  }

  /** The state's name. */
  get stateName(): string {
    return GUEST_STATE_NAMES[this.state] ?? `state ${this.state}`;
  }

  /**
   * Guest: claim the place and say who we are, in one step.
   *
   * @returns our incarnation; undefined if the place is taken, or the region is another host's by
   * now.
   */
  claim(claimant: word.Claimant): number | undefined {
    const { incarnation } = this;
    const next = (incarnation + 1) >>> 0; // the host raises it as it lets us in
    const claimed = word.claimWord(word.incarnationBits(this.#epoch, next), claimant);
    if (!this.#swap(this.#vacant(incarnation), word.withState(claimed, ATTACHING))) {
      return undefined;
    }
    this.#claimed = claimed;
    this.#memory.store(this.#start + GUEST.PID, claimant.pid);
    return next;
  }

  /**
   * Change the state, if {@linkcode TRANSITIONS} allows that and the state is still `from`. A guest
   * can do so only as long as the place is its own.
   *
   * @param found Host: the state word that it has seen; if left out, the word as it is now.
   * @returns whether it was changed.
   */
  move(by: "guest" | "host", from: number, to: number, found: number = this.word): boolean {
    if (!TRANSITIONS.some((t) => t.by === by && t.from === from && t.to === to)) return false;
    if (by === "host") {
      return word.stateOf(found) === from && this.#swap(found, word.withState(found, to));
    }
    const claimed = this.#claimed;
    return claimed !== undefined &&
      this.#swap(word.withState(claimed, from), word.withState(claimed, to));
  }

  /**
   * Guest: as `peer`, say that the guest that was retired here touches nothing any more. If both
   * have the same peer id, they are of one process or machine, so that we know; for a guest without
   * a peer id anybody may say so.
   */
  takeOver(peer: number | undefined): boolean {
    const found = this.word;
    const last = word.peerOf(found);
    return word.stateOf(found) === RETIRED && (last === undefined || last === peer) &&
      this.#swap(found, word.withState(found, DETACHING));
  }

  /** Guest: say its new peer id, once another server has taken over for the `times`-th time. */
  introduceAgain(peer: number, times: number): void {
    const claimed = this.#claimed;
    if (claimed === undefined) return;
    const next = word.withPeer(claimed, peer, times);
    if (next === claimed) return;
    if (this.#swap(word.withState(claimed, RUNNING), word.withState(next, RUNNING))) {
      this.#claimed = next;
    }
  }

  /** Host: whether a guest may claim the place by this word now. */
  isClaim(found: number): boolean {
    const next = word.incarnationBits(this.#epoch, (this.#lastIncarnation + 1) >>> 0);
    return word.stateOf(found) === ATTACHING && (word.peerOf(found) ?? 0) <= PEER_MAX &&
      word.isSameIncarnation(found, next);
  }

  /** Host: whether this word is as {@linkcode clear} left it. */
  isVacant(found: number): boolean {
    return found === this.#vacant(this.#lastIncarnation);
  }

  /**
   * Host: make the place vacant, as the guest is gone and its mbufs are back. What the guest wrote
   * here last does not matter.
   */
  clear(): void {
    const incarnation = this.#lastIncarnation;
    this.#memory.store(this.incarnationWord, incarnation); // or nobody finds the place vacant
    this.#memory.store(this.#start + GUEST.STATE, this.#vacant(incarnation));
  }

  /** Host: nobody is let in here any more. */
  quarantine(): void {
    const bits = word.incarnationBits(this.#epoch, this.#lastIncarnation);
    this.#memory.store(this.#start + GUEST.STATE, word.withState(bits, QUARANTINED));
  }

  /** Whether the guest takes functions that are pushed, as it says. */
  get takesPushes(): boolean {
    return this.#memory.load(this.#start + GUEST.TAKES_PUSHES) === 1;
  }

  /** Guest: say so. */
  set takesPushes(takesPushes: boolean) {
    this.#memory.store(this.#start + GUEST.TAKES_PUSHES, takesPushes ? 1 : 0);
  }

  /** Guest: clear what the lcores of the guest before have said of themselves. */
  clearBusy(): void {
    for (let i = 0; i < BUSY_LCORES; i++) this.#memory.store(this.#start + GUEST.BUSY + i, 0);
  }

  /** Guest: say that it is alive. */
  beat(): void {
    const word = this.heartbeatWord;
    this.#memory.store(word, (this.#memory.load(word) + 1) >>> 0);
  }

  /** Where the heartbeat lies, for a guest's lcores to beat as well. */
  get heartbeatWord(): number {
    return this.#start + GUEST.HEARTBEAT;
  }

  /** Guest: show what the functions of each lcore count. */
  showCounters(lcores: readonly ArrayBufferLike[]): void {
    const start = this.#start * 4;
    const bytes = [start + GUEST.COUNTERS * 4, start + guestBytes(this.channels)] as const;
    copyCounters(this.#memory.u8.subarray(...bytes), lcores);
  }

  /** A counter that the guest raises as long as it lives. */
  get heartbeat(): number {
    return this.#memory.load(this.heartbeatWord);
  }

  /** Whether the host wakes the guest, as the host says. */
  get isNotified(): boolean {
    return this.#memory.load(this.#start + GUEST.NOTIFIED) === 1;
  }

  /** Host: say so, before the guest is let in. */
  set isNotified(isNotified: boolean) {
    this.#memory.store(this.#start + GUEST.NOTIFIED, isNotified ? 1 : 0);
  }

  /** Whether the guest's functions take super-frames, as it says. */
  get offloads(): boolean {
    return this.#memory.load(this.#start + GUEST.OFFLOADS) === 1;
  }

  /** Guest: say so, once the place is its own, and when its functions change. */
  set offloads(offloads: boolean) {
    this.#memory.store(this.#start + GUEST.OFFLOADS, offloads ? 1 : 0);
  }

  /** Host: show how many mbufs the guest holds. */
  set outstanding(mbufs: number) {
    this.#memory.store(this.#start + GUEST.OUTSTANDING, mbufs);
  }

  /** Whether the guest is asked to detach, and not to come back until this is taken back. */
  get isAskedToLeave(): boolean {
    return this.#memory.load(this.#start + GUEST.LEAVE) !== 0;
  }

  /** Host's side: ask the guest to leave, or take that back. */
  askToLeave(isAsked: boolean): void {
    this.#memory.store(this.#start + GUEST.LEAVE, isAsked ? 1 : 0);
  }

  /**
   * The process id that the guest gave, for people. That of a guest in a VM means nothing on the
   * host.
   */
  get pid(): number {
    return this.#memory.load(this.#start + GUEST.PID);
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

  get #lastIncarnation(): number {
    return this.#retired ?? this.incarnation;
  }

  #vacant(incarnation: number): number {
    return word.withState(word.incarnationBits(this.#epoch, incarnation), ABSENT);
  }

  #swap(from: number, to: number): boolean {
    return this.#memory.compareAndSwap(this.#start + GUEST.STATE, from, to);
  }
}
