import { GUEST_STATE, type GuestState } from "../channel/guest_state.ts";
import type { Ledger } from "../channel/ledger.ts";
import type { Mempool } from "../mempool/mempool.ts";
import type { Gate } from "./gate.ts";
import type { Eventfds, RegionPeers } from "./region_peers.ts";

/** A guest whose heartbeat stands still for so long is dead. */
const TIMEOUT_MS = 2000;

/** What a supervisor looks after, and works with. */
export interface SupervisorParts {
  /** The guest's place, as the ledger numbers it. */
  readonly guest: number;
  /** What the log calls it: `guest 0`. */
  readonly name: string;
  /** Its control memzone. */
  readonly state: GuestState;
  /** The gate in front of it. */
  readonly gate: Gate;
  /** Its region's. */
  readonly ledger: Ledger;
  /** The main thread's own end: what a guest held is freed there. */
  readonly mempool: Mempool;
  /** The region's peers, of whom the guest may be one. */
  readonly peers: RegionPeers;
  /** Wakes the lcores, to look at the gate. */
  readonly wakeLcores: () => void;
  /** Told in one line of each guest that comes or goes. */
  readonly log: (line: string) => void;
}

/** What the supervisor does next. What the guest's state word says is only a wish. */
type Phase = "closed" | "opening" | "open" | "closing";

/**
 * Follows one guest's life from the main thread: opens the gate to one that attaches, closes it and
 * takes back all mbufs when it detaches or dies. Call {@linkcode step} some times a second.
 */
export class GuestSupervisor {
  /** Frames that the guest held when it went: dropped. */
  held = 0;

  #phase: Phase = "closed";
  #heartbeat = 0;
  #beatAt = 0;
  #admits = true;
  /** Of the guest that is there; undefined if none is, or nothing wakes it. */
  #eventfds?: Eventfds;

  /** Begins with nobody in the place and the gate closed. For the main thread alone. */
  constructor(private readonly parts: SupervisorParts) {}

  /** Whether a guest is forwarding. */
  get isOpen(): boolean {
    return this.#phase === "open";
  }

  /** Whether a guest is just coming or going. */
  get isMoving(): boolean {
    return this.#phase === "opening" || this.#phase === "closing";
  }

  /** Frames that the guest holds now. */
  get framesOut(): number {
    return this.isOpen ? this.parts.ledger.framesHeldBy(this.parts.guest) : 0;
  }

  /** Whether all that was lent is back. */
  get isClosed(): boolean {
    return this.#phase === "closed";
  }

  /** Look once. `now` is a clock in milliseconds. */
  step(now: number): void {
    const state = this.parts.state.state;
    switch (this.#phase) {
      case "closed":
        if (state === GUEST_STATE.ATTACHING) this.#mayOpen && this.#open(now);
        else if (state !== GUEST_STATE.ABSENT) this.parts.state.clear(); // gave up unseen, or garbage
        break;
      case "opening":
        if (this.parts.gate.isAcknowledged) this.#opened();
        break;
      case "open":
        if (state !== GUEST_STATE.RUNNING) this.close("detached");
        else if (this.#isDead(now)) this.close("died: its heartbeat stopped");
        else if (this.#hasLeft()) this.close("died: its connection to the server is closed");
        break;
      case "closing":
        if (this.parts.gate.isAcknowledged) this.#closed();
        break;
    }
  }

  /** Let nobody in any more. */
  admitNobody(): void {
    this.#admits = false;
  }

  /** Whether lcores may be using these eventfds. */
  uses(eventfds: Eventfds): boolean {
    return this.#eventfds === eventfds;
  }

  /** Close the gate; {@linkcode isClosed} once lanes have seen it and the mbufs are back. */
  close(why: string): void {
    if (this.#phase === "closed" || this.#phase === "closing") return;
    this.#log(why);
    this.parts.state.retire();
    this.parts.gate.close();
    this.parts.wakeLcores();
    this.#phase = "closing";
  }

  get #mayOpen(): boolean {
    return this.#admits && this.parts.state.isIntroduced;
  }

  #open(now: number): void {
    this.#beatAt = now;
    this.#heartbeat = this.parts.state.heartbeat;
    this.parts.state.retire();
    const { state, gate, peers } = this.parts;
    peers.poll(); // it may have joined just now
    this.#eventfds = peers.eventfdsOf(state.peer);
    state.isRung = this.#eventfds.length > 0;
    gate.open(state.wantsMbufs, this.#eventfds, state.rings);
    this.parts.wakeLcores();
    this.#phase = "opening";
  }

  #opened(): void {
    this.#phase = "open";
    if (this.parts.state.move("host", GUEST_STATE.ATTACHING, GUEST_STATE.RUNNING)) {
      this.#log(`attached (pid ${this.parts.state.pid} in its own world)`);
    }
  }

  #closed(): void {
    const one = new Uint32Array(2);
    const swept = this.parts.ledger.sweep(this.parts.guest, (index) => {
      one[0] = index;
      this.parts.mempool.free(one, 1);
    });
    this.parts.mempool.close();
    this.held += swept.frames;
    if (swept.mbufs > 0) this.#log(`held ${swept.mbufs} mbufs: taken back`);
    this.parts.state.clear();
    this.#eventfds = undefined;
    this.#phase = "closed";
  }

  #hasLeft(): boolean {
    return this.#eventfds !== undefined && this.parts.peers.hasLeft(this.#eventfds);
  }

  #log(what: string): void {
    this.parts.log(`${this.parts.name} ${what}`);
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
