import { GUEST_STATE } from "../channel/guest_state.ts";
import type { Eventfds } from "./region_peers.ts";
import type { SupervisorParts } from "./supervisor_parts.ts";

/** A guest whose heartbeat stands still for so long is dead. */
const TIMEOUT_MS = 2000;

/** Who has claimed the place, and not said who it is for so long, was killed in between. */
const CLAIM_MS = 5000;

/** What the supervisor does next. What the guest's state word says is only a wish. */
type Phase = "closed" | "opening" | "open" | "closing" | "limbo" | "wiping";

/**
 * Follows one guest's life from the main thread: opens the gate to one that attaches, closes it and
 * takes back all mbufs when it detaches or dies. Call {@linkcode step} some times a second.
 *
 * A guest whose heart has stopped may only be paused, in the middle of a burst: it would write to the
 * frames of that burst once it goes on, before it looks at its lease again. What it holds stays in limbo,
 * lent to nobody, until it acknowledges, its successor on the same peer comes, its connection is closed,
 * or {@linkcode takeBack} says that others need it.
 */
export class GuestSupervisor {
  /** Frames that the guest held when it went: dropped. */
  held = 0;

  #phase: Phase = "closed";
  #isSilent = false;
  #isQuarantined = false;
  #heartbeat = 0;
  #beatAt = 0;
  /** The claim that waits for its introduction: of which incarnation, and since when. */
  #claim = { incarnation: -1, since: 0 };
  #admits = true;
  /** Of the guest that is there, what wakes it; undefined if none is. */
  #eventfds?: Eventfds;
  /** What tells that it is there: its eventfds at the server that it was last seen at, and what it said. */
  #presence?: { eventfds: Eventfds; word: number };

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
  get isInLimbo(): boolean {
    return this.#phase === "limbo";
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
    if (!this.#isQuarantined && this.parts.conduct.look()) this.#quarantine();
    const state = this.parts.state.state;
    switch (this.#phase) {
      case "closed":
        if (this.#isQuarantined) this.parts.state.quarantine();
        else if (state === GUEST_STATE.ATTACHING) {
          this.#mayOpen ? this.#open(now) : this.#await(now);
        } else if (state !== GUEST_STATE.ABSENT) this.#clear(state);
        break;
      case "opening":
        if (this.parts.gate.isAcknowledged) this.#opened();
        break;
      case "open":
        this.#followPeer();
        if (state !== GUEST_STATE.RUNNING) this.#detached(state);
        else if (this.#isDead(now)) this.#closeSilent();
        else if (this.#hasLeft()) this.close("died: its connection to the server is closed");
        break;
      case "closing":
        if (this.parts.gate.isAcknowledged) this.#isSilent ? this.#retire(state) : this.#closed();
        break;
      case "wiping":
        if (this.parts.gate.isAcknowledged) this.#wiped();
        break;
      case "limbo":
        // Whatever else is there now was written by the guest or its successor.
        if (state !== GUEST_STATE.RETIRED || this.#hasLeft() || this.#isLost) this.#closed();
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
    if (this.#phase === "limbo") this.#closed();
    if (["closed", "closing", "wiping"].includes(this.#phase)) return;
    this.#log(why);
    this.#shut();
  }

  /** End a limbo: others need the mbufs more than a guest that may be dead. */
  takeBack(): void {
    if (this.#phase === "limbo") this.#closed();
  }

  get #mayOpen(): boolean {
    return this.#admits && this.parts.state.isIntroduced;
  }

  /** A claim without an introduction lapses, or the place would be taken for ever. */
  #await(now: number): void {
    const { state } = this.parts;
    const { incarnation } = state;
    if (incarnation !== this.#claim.incarnation) this.#claim = { incarnation, since: now };
    if (state.isIntroduced || now - this.#claim.since < CLAIM_MS) return;
    // Twice: whoever wakes now is too late, and not to be taken for the one that is let in next.
    state.retire();
    state.retire();
    state.clear();
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
    const { conduct } = this.parts;
    this.#log(`is in quarantine until the host is started anew: ${conduct.text}`, true);
    if (this.#phase === "limbo") this.#closed();
    else if (this.#phase === "open" || this.#phase === "opening") this.#shut();
  }

  /** The guest gave up before we looked, or wrote garbage. */
  #clear(state: number): void {
    if (state !== GUEST_STATE.DETACHING) this.parts.conduct.countState();
    this.parts.state.retire(); // or its introduction would serve for the next claim
    this.parts.state.clear();
  }

  #detached(state: number): void {
    if (state !== GUEST_STATE.DETACHING) this.parts.conduct.countState();
    this.close("detached");
  }

  #open(now: number): void {
    if (!this.parts.state.isPlausible) this.parts.conduct.countIntroduction();
    this.#beatAt = now;
    this.#heartbeat = this.parts.state.heartbeat;
    this.parts.state.retire();
    const { state, gate, peers } = this.parts;
    peers.poll(); // it may have joined just now
    this.#eventfds = peers.eventfdsOf(state.peer);
    this.#presence = this.#presenceNow();
    state.isRung = this.#eventfds.length > 0;
    gate.open(state.wantsMbufs, this.#eventfds, state.rings);
    this.parts.wakeLcores();
    this.#phase = "opening";
  }

  #opened(): void {
    this.#phase = "open";
    if (this.parts.state.move("host", GUEST_STATE.ATTACHING, GUEST_STATE.RUNNING)) {
      this.#log(`attached (pid ${this.parts.state.pid} in its own world)`);
    } else if (this.parts.state.state !== GUEST_STATE.DETACHING) {
      this.parts.conduct.countState();
    }
  }

  #closeSilent(): void {
    this.close("died: its heartbeat stopped");
    this.#isSilent = true;
  }

  /** The lanes have let go, but maybe not the guest. */
  #retire(state: number): void {
    const { ledger, guest } = this.parts;
    if (state !== GUEST_STATE.RUNNING || this.#hasLeft() || this.#isLost) return this.#closed();
    // Also with nothing held: it may yet dequeue what its successor is lent.
    const held = ledger.mbufsHeldBy(guest);
    if (!this.parts.state.move("host", GUEST_STATE.RUNNING, GUEST_STATE.RETIRED)) return;
    this.#log(`held ${held} mbufs: withheld, as it may only be paused`);
    this.#phase = "limbo";
  }

  #closed(): void {
    const one = new Uint32Array(2);
    const swept = this.parts.ledger.sweep(this.parts.guest, (index) => {
      one[0] = index;
      this.parts.mempool.free(one, 1);
    });
    this.parts.mempool.close();
    this.held += swept.frames;
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

  #presenceNow(): { eventfds: Eventfds; word: number } | undefined {
    const { peerWord: word, peer } = this.parts.state;
    const eventfds = this.parts.peers.eventfdsOf(peer);
    return eventfds.length === 0 ? undefined : { eventfds, word };
  }

  /** A guest that has found the server again is another peer there, and says so. */
  #followPeer(): void {
    if (this.#presence === undefined || this.parts.state.peerWord === this.#presence.word) return;
    const now = this.#presenceNow();
    if (now !== undefined && this.parts.peers.knows(now.eventfds)) this.#presence = now;
  }

  /** Whether it had a server to tell that it is gone, and that server is gone itself. */
  get #isLost(): boolean {
    return this.#presence !== undefined && !this.parts.peers.knows(this.#presence.eventfds);
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
