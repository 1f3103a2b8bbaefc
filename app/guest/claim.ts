import { CulvertError } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { GUEST_STATE, GuestState } from "../channel/guest_state.ts";
import type { Claimant } from "../channel/state_word.ts";
import { Region, RegionNotReadyError } from "../memory/region.ts";
import { Attachment, DETACH_MS } from "./attachment.ts";

/** How long a host may take to let a guest in. */
const ADMISSION_MS = 5000;

/** Guests are asked to leave the region, and to stay away. */
export class AskedToLeaveError extends CulvertError {}

/**
 * A guest's claim of a place in a region. It waits, {@linkcode step} by step, until the host lets
 * the guest in.
 */
export class Claim {
  readonly #region: Region;
  readonly #state: GuestState;
  /** Until when the host may take back the mbufs that we held as a guest before. */
  readonly #takenOverBy?: number;
  /** Our incarnation, once the place is claimed, and until when the host may let us in. */
  #claimed?: { readonly incarnation: number; readonly by: number };

  /**
   * Find the place of guest number `guest`.
   *
   * @param name What the region is called, for people.
   * @param now A clock in milliseconds.
   * @throws {RegionNotReadyError} if there is no host.
   * @throws {AskedToLeaveError} if guests are to stay away.
   * @throws {CulvertError} if the region is not sound, or has no such place.
   */
  constructor(
    memory: MappedMemory,
    private readonly name: string,
    private readonly guest: number,
    private readonly claimant: Claimant,
    now: number,
  ) {
    this.#region = Region.attach(memory, name);
    this.#state = GuestState.attach(this.#region, guest);
    if (this.#state.isAskedToLeave) {
      throw this.#refusal(
        "guests are asked to leave it",
        "culvert unplug has asked for that; if none is at work now, one was broken off",
        AskedToLeaveError,
      );
    }
    if (this.#state.takeOver(claimant.peer)) this.#takenOverBy = now + DETACH_MS;
  }

  /**
   * Go on, every 5 ms or so.
   *
   * @param now The same clock.
   * @returns our place, once the host has let us in.
   * @throws {RegionNotReadyError} if the host does not answer.
   * @throws {CulvertError} if the place is taken, or the host refuses us.
   */
  step(now: number): Attachment | undefined {
    const state = this.#state;
    if (this.#claimed === undefined) {
      const isLeaving = state.state === GUEST_STATE.DETACHING;
      if (this.#takenOverBy !== undefined && isLeaving && now <= this.#takenOverBy) {
        return undefined;
      }
      this.#claimed = { incarnation: this.#claim(), by: now + ADMISSION_MS };
      return undefined;
    }
    const { incarnation, by } = this.#claimed;
    if (state.state === GUEST_STATE.ATTACHING && this.#isSameHost) {
      if (now > by) this.#giveUp();
      state.beat();
      return undefined;
    }
    if (state.state === GUEST_STATE.RUNNING && this.#isSameHost) {
      return new Attachment(this.#region, this.guest, state, incarnation, now);
    }
    const { stateName } = state;
    state.move("guest", GUEST_STATE.ATTACHING, GUEST_STATE.DETACHING); // or it stays claimed
    throw this.#refusal(`its host says ${stateName}`, "see what the host logs, and try again");
  }

  get #isSameHost(): boolean {
    return this.#region.epoch === this.#region.knownEpoch;
  }

  /** Claim the place; returns our incarnation. */
  #claim(): number {
    const { guest } = this;
    const state = this.#state;
    if (state.state === GUEST_STATE.QUARANTINED) {
      throw this.#refusal(
        `guest ${guest} is in quarantine`,
        "see in the host's log what it did; a host that is started anew lets it in",
      );
    }
    const incarnation = state.claim(this.claimant);
    if (incarnation !== undefined) return incarnation;
    const who = `(${state.stateName}, own pid ${state.pid})`;
    if (state.state === GUEST_STATE.DETACHING) {
      throw this.#refusal(
        `guest ${guest} has left ${who}, which its host has not seen yet`,
        "it is stopped, or busy; its place is free when it goes on",
      );
    }
    throw this.#refusal(
      `guest ${guest} is there already ${who}`,
      "stop that one, or wait 2 s if it has died",
    );
  }

  #giveUp(): never {
    this.#state.move("guest", GUEST_STATE.ATTACHING, GUEST_STATE.DETACHING);
    throw this.#refusal(
      "its host does not answer",
      "is it running? start it again",
      RegionNotReadyError,
    );
  }

  #refusal(found: string, wanted: string, Kind = CulvertError): CulvertError {
    return new Kind(`Cannot attach to region ${this.name} as ${found}: ${wanted}`);
  }
}
