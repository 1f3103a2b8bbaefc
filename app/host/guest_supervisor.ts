import { GUEST_STATE } from "../channel/guest_state.ts";
import {
  isSameGuest,
  notifies,
  peerOf,
  presenceOf,
  stateOf,
  wantsMbufs,
} from "../channel/state_word.ts";
import { Burst } from "../ring/burst.ts";
import type { Eventfds } from "./region_peers.ts";
import type { SupervisorParts } from "./supervisor_parts.ts";

/** A guest whose heartbeat stands still for so long is dead. */
const TIMEOUT_MS = 2000;

/** What the supervisor does next. What the guest's state word says is only a wish. */
type Phase = "closed" | "opening" | "open" | "closing" | "quiesced" | "wiping";

/**
 * Follows one guest's life from the main thread: opens the gate to one that attaches, closes it and
 * takes back all mbufs when it detaches or dies. Call {@linkcode step} some times a second.
 *
 * A guest whose heart has stopped may only be paused, in the middle of a burst: it would write to the
 * frames of that burst once it goes on, before it looks at its lease again. What it holds stays quiesced,
 * lent to nobody, until it acknowledges, its successor on the same peer comes, its connection is closed,
 * or {@linkcode takeBack} says that others need it.
 */
export class GuestSupervisor {
  /** Frames that the guest held when it went: dropped. */
  lost = 0;

  #phase: Phase = "closed";
  #isSilent = false;
  #isQuarantined = false;
  #heartbeat = 0;
  #beatAt = 0;
  /** The state word of the guest that was let in last, as it claimed the place. */
  #claim = 0;
  #admits = true;
  /** An mbuf on its way back to the mempool. */
  readonly #one = Burst.of(1);
  /** Of the guest that is there, what wakes it; undefined if none is. */
  #eventfds?: Eventfds;
  /** What tells that it is there: its eventfds at the server that it was last seen at, and what it said. */
  #presence?: { eventfds: Eventfds; said: number };

  /** Begins with nobody in the place and the gate closed. For the main thread alone. */
  constructor(private readonly parts: SupervisorParts) {}

  /** Whether a guest is forwarding. */
  get isOpen(): boolean {
    return this.#phase === "open";
  }

  /** Whether a guest is just coming or going. */
  get isMoving(): boolean {
    return ["opening", "closing", "wiping"].includes(this.#phase);
  }

  /** Frames that the guest holds now. */
  get framesOut(): number {
    return this.isOpen ? this.parts.ledger.framesHeldBy(this.parts.guest) : 0;
  }

  /** Whether the guest's mbufs are withheld, as it may only be paused. */
  get isQuiesced(): boolean {
    return this.#phase === "quiesced";
  }

  /** Whether all that was lent is back. */
  get isClosed(): boolean {
    return this.#phase === "closed";
  }

  /**
   * Whether the guest is in quarantine: our decision, of which its state word is only told. It lasts as
   * long as this host: whoever comes to its place is not let in.
   */
  get isQuarantined(): boolean {
    return this.#isQuarantined;
  }

  /** Look once. `now` is a clock in milliseconds. */
  step(now: number): void {
    if (!this.#isQuarantined && this.parts.violations.look(now)) this.#quarantine();
    const { word } = this.parts.state;
    switch (this.#phase) {
      case "closed":
        this.#receive(now, word);
        break;
      case "opening":
        if (this.parts.gate.isAcknowledged) this.#opened();
        break;
      case "open":
        this.#followPeer(word);
        if (!this.#isOurs(word, GUEST_STATE.RUNNING)) this.#detached(word);
        else if (this.#isDead(now)) this.#closeSilent();
        else if (this.#hasLeft()) this.close("died: its connection to the server is closed");
        break;
      case "closing":
        if (this.parts.gate.isAcknowledged) this.#isSilent ? this.#retire(word) : this.#closed();
        break;
      case "wiping":
        if (this.parts.gate.isAcknowledged) this.#wiped();
        break;
      case "quiesced":
        // Whatever else is there now was written by the guest or its successor.
        if (!this.#isOurs(word, GUEST_STATE.RETIRED) || this.#hasLeft() || this.#isLost) {
          this.#closed();
        }
        break;
    }
  }

  /** Let nobody in any more. */
  admitNobody(): void {
    this.#admits = false;
  }

  /** Whether lcores may be using these eventfds. */
  uses(eventfds: Eventfds): boolean {
    return this.#eventfds === eventfds || this.#presence?.eventfds === eventfds;
  }

  /** Close the gate; {@linkcode isClosed} once lanes have seen it and the mbufs are back. */
  close(why: string): void {
    this.#isSilent = false;
    if (this.#phase === "quiesced") this.#closed();
    if (["closed", "closing", "wiping"].includes(this.#phase)) return;
    this.#log(why);
    this.#shut();
  }

  /** End the quiesced state: others need the mbufs more than a guest that may be dead. */
  takeBack(): void {
    if (this.#phase === "quiesced") this.#closed();
  }

  /** Nobody is there: see who claims the place. */
  #receive(now: number, word: number): void {
    const { state } = this.parts;
    if (this.#isQuarantined) return state.quarantine();
    if (state.isVacant(word)) return;
    if (!state.isClaim(word)) return this.#clear(word);
    if (this.#admits) this.#open(now, word);
  }

  #shut(): void {
    this.parts.state.retire();
    this.parts.gate.close();
    this.parts.wakeLcores();
    this.#phase = "closing";
  }

  #quarantine(): void {
    this.#isQuarantined = true;
    this.#isSilent = false;
    const { violations } = this.parts;
    this.#log(`is in quarantine until the host is started anew: ${violations.text}`, true);
    if (this.#phase === "quiesced") this.#closed();
    else if (this.#phase === "open" || this.#phase === "opening") this.#shut();
  }

  /** The guest gave up before we looked, or wrote garbage. */
  #clear(word: number): void {
    if (stateOf(word) === GUEST_STATE.ATTACHING) this.parts.violations.countIntroduction();
    else if (stateOf(word) !== GUEST_STATE.DETACHING) this.parts.violations.countState();
    this.parts.state.retire(); // what was claimed there, nobody can claim again
    this.parts.state.clear();
  }

  /** Whether this word is of the guest that was let in, in that state. */
  #isOurs(word: number, state: number): boolean {
    return stateOf(word) === state && isSameGuest(word, this.#claim);
  }

  #detached(word: number): void {
    if (!this.#isOurs(word, GUEST_STATE.DETACHING)) this.parts.violations.countState();
    this.close("detached");
  }

  #open(now: number, word: number): void {
    this.#beatAt = now;
    this.#heartbeat = this.parts.state.heartbeat;
    this.#claim = word;
    this.parts.state.retire();
    const { state, gate, peers } = this.parts;
    peers.poll(); // it may have joined just now
    this.#eventfds = peers.eventfdsOf(peerOf(word));
    this.#presence = this.#presenceOf(word);
    state.isNotified = this.#eventfds.length > 0;
    gate.open(wantsMbufs(word), this.#eventfds, notifies(word));
    this.parts.wakeLcores();
    this.#phase = "opening";
  }

  #opened(): void {
    this.#phase = "open";
    const { state, violations } = this.parts;
    if (state.move("host", GUEST_STATE.ATTACHING, GUEST_STATE.RUNNING, this.#claim)) {
      this.#log(`attached (pid ${state.pid} in its own world)`);
    } else if (!this.#isOurs(state.word, GUEST_STATE.DETACHING)) violations.countState();
  }

  #closeSilent(): void {
    this.close("died: its heartbeat stopped");
    this.#isSilent = true;
  }

  /** The lanes have let go, but maybe not the guest. */
  #retire(word: number): void {
    const { ledger, guest } = this.parts;
    const mayWake = this.#isOurs(word, GUEST_STATE.RUNNING) && !this.#hasLeft() && !this.#isLost;
    if (!mayWake) return this.#closed();
    // Also with nothing held: it may yet dequeue what its successor is lent.
    const held = ledger.mbufsHeldBy(guest);
    if (!this.parts.state.move("host", GUEST_STATE.RUNNING, GUEST_STATE.RETIRED, word)) return;
    this.#log(`held ${held} mbufs: withheld, as it may only be paused`);
    this.#phase = "quiesced";
  }

  #closed(): void {
    const swept = this.parts.ledger.sweep(this.parts.guest, (index) => {
      this.#one.words[0] = index;
      this.parts.mempool.free(this.#one, 1);
    });
    this.parts.mempool.close();
    this.lost += swept.frames;
    this.parts.takenBack(swept.mbufs);
    if (swept.mbufs > 0) this.#log(`held ${swept.mbufs} mbufs: taken back`);
    if (this.parts.wipe) return this.#beginWipe();
    this.#vacate();
  }

  #beginWipe(): void {
    this.parts.gate.shut();
    this.parts.wakeLcores();
    this.#phase = "wiping";
  }

  #wiped(): void {
    this.parts.wipe?.();
    this.parts.gate.close();
    this.parts.wakeLcores();
    this.#vacate();
  }

  /** The place is free for the next guest. */
  #vacate(): void {
    if (this.#isQuarantined) this.parts.state.quarantine();
    else this.parts.state.clear();
    this.#eventfds = this.#presence = undefined;
    this.#phase = "closed";
  }

  #hasLeft(): boolean {
    return this.#presence !== undefined && this.parts.peers.hasLeft(this.#presence.eventfds);
  }

  #presenceOf(word: number): { eventfds: Eventfds; said: number } | undefined {
    const eventfds = this.parts.peers.eventfdsOf(peerOf(word));
    return eventfds.length === 0 ? undefined : { eventfds, said: presenceOf(word) };
  }

  /** A guest that has found the server again is another peer there, and says so. */
  #followPeer(word: number): void {
    if (this.#presence === undefined || presenceOf(word) === this.#presence.said) return;
    const now = this.#presenceOf(word);
    if (now !== undefined && this.parts.peers.knows(now.eventfds)) this.#presence = now;
  }

  /**
   * Whether nobody could tell us that it is gone, though it has a peer id: its server is gone itself, or it
   * was killed, or went, so soon that we never saw it there.
   */
  get #isLost(): boolean {
    if (this.#presence === undefined) return peerOf(this.#claim) !== undefined;
    return !this.parts.peers.knows(this.#presence.eventfds);
  }

  #log(what: string, isRare = false): void {
    this.parts.log(`${this.parts.name} ${what}`, isRare);
  }

  #isDead(now: number): boolean {
    const heartbeat = this.parts.state.heartbeat;
    if (heartbeat !== this.#heartbeat) {
      this.#heartbeat = heartbeat;
      this.#beatAt = now;
    }
    return now - this.#beatAt > TIMEOUT_MS;
  }
}
