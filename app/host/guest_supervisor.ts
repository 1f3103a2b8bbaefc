import type { Level, Log } from "../linux/log.ts";
import { HeartbeatWatch } from "../channel/heartbeat_watch.ts";
import { GUEST_STATE, type GuestState } from "../channel/guest_state.ts";
import type { Ledger } from "../channel/ledger.ts";
import type { OutstandingCount } from "../channel/outstanding.ts";
import { isSameGuest, notifies, stateOf, wantsMbufs } from "../channel/state_word.ts";
import type { Mempool } from "../mempool/mempool.ts";
import { Burst } from "../ring/burst.ts";
import type { Gate } from "./gate.ts";
import { GuestPresence } from "./guest_presence.ts";
import type { Eventfds, RegionPeers } from "./region_peers.ts";
import type { ViolationCounters } from "./violation_counters.ts";

/** What supervisors need of the region that their guests are in. */
export interface SupervisedRegion {
  /** Which guest holds which mbuf. */
  readonly ledger: Ledger;
  /** The main thread's own end: what a guest held is freed there. */
  readonly mempool: Mempool;
  /** The region's peers, of whom the guest may be one. */
  readonly peers: RegionPeers;
  /** Wipes all mbufs, while no lane has any; undefined if they are not to be wiped. */
  readonly wipe?: () => void;
  /** Wakes the lcores, to look at a gate. */
  wakeLcores(): void;
  /** Receives what happened to a guest. */
  readonly log: Log;
}

/** A place for a guest, as its supervisor needs it. */
export interface SupervisedGuest {
  /** As the ledger numbers it. */
  readonly number: number;
  /** What the log calls it: `guest 0`. */
  readonly name: string;
  /** Its control memzone. */
  readonly state: GuestState;
  /** The gate in front of it. */
  readonly gate: Gate;
  /** What it holds, for the main thread to count. */
  readonly outstanding: OutstandingCount;
  /** Its violations: after too many it is put in quarantine. */
  readonly violations: ViolationCounters;
  /** Whether it is in quarantine already: a change of its host does not end that. */
  readonly isQuarantined: boolean;
}

/** A guest whose heartbeat stands still for so long is dead. */
const TIMEOUT_MS = 2000;

/** What the supervisor does next. The guest's state word is only a request. */
type Phase = "closed" | "opening" | "open" | "closing" | "quiesced" | "wiping";

/**
 * Follows one guest's life from the main thread: opens the gate to one that attaches, closes it and
 * takes back all mbufs when it detaches or dies. Call {@linkcode step} several times a second.
 *
 * A guest whose heartbeat has stopped may only be paused, in the middle of a burst: it would write
 * to the frames of that burst once it goes on, before it looks at its lease again. Its mbufs stay
 * quiesced, lent to nobody, until it acknowledges, a successor on the same peer comes, its
 * connection is closed, or {@linkcode takeBack} says that others need them.
 */
export class GuestSupervisor {
  /** Frames that the guest held when it went: dropped. */
  lost = 0;

  #phase: Phase = "closed";
  #isSilent = false;
  #isQuarantined: boolean;
  #heart = new HeartbeatWatch(0, 0);
  /** The state word of the guest that was let in last, as it claimed the place. */
  #claim = 0;
  #admits = true;
  /** An mbuf on its way back to the mempool. */
  readonly #one = Burst.of(1);
  readonly #presence: GuestPresence;

  /** Begins with nobody in the place and the gate closed. For the main thread alone. */
  constructor(
    private readonly region: SupervisedRegion,
    private readonly guest: SupervisedGuest,
  ) {
    this.#isQuarantined = guest.isQuarantined;
    this.#presence = new GuestPresence(region.peers);
  }

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
    return this.isOpen ? this.region.ledger.framesHeldBy(this.guest.number) : 0;
  }

  /** Whether the guest's mbufs are withheld, as it may only be paused. */
  get isQuiesced(): boolean {
    return this.#phase === "quiesced";
  }

  /** Whether all that was lent is back. */
  get isClosed(): boolean {
    return this.#phase === "closed";
  }

  /** Whether the guest is in quarantine. The host decides that; the state word only shows it. */
  get isQuarantined(): boolean {
    return this.#isQuarantined;
  }

  /** Look once. `now` is a clock in milliseconds. */
  step(now: number): void {
    if (!this.#isQuarantined && this.guest.violations.look(now)) this.#quarantine();
    const { word } = this.guest.state;
    switch (this.#phase) {
      case "closed":
        this.#receive(now, word);
        break;
      case "opening":
        if (this.guest.gate.isAcknowledged) this.#opened();
        break;
      case "open":
        this.#presence.follow(word);
        this.guest.gate.offloads = this.guest.state.offloads; // a swap of functions may change it
        if (!this.#isOurs(word, GUEST_STATE.RUNNING)) this.#detached(word);
        else if (this.#heart.silence(this.guest.state.heartbeat, now) > TIMEOUT_MS) {
          this.#closeSilent();
        } else if (this.#presence.hasLeft) {
          this.close("died: its connection to the server is closed");
        }
        break;
      case "closing":
        if (this.guest.gate.isAcknowledged) this.#isSilent ? this.#retire(word) : this.#closed();
        break;
      case "wiping":
        if (this.guest.gate.isAcknowledged) this.#wiped();
        break;
      case "quiesced":
        // Whatever else is there now was written by the guest or its successor.
        if (
          !this.#isOurs(word, GUEST_STATE.RETIRED) || this.#presence.hasLeft ||
          this.#presence.isLost
        ) {
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
    return this.#presence.uses(eventfds);
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

  /** Nobody is there: see whether a guest claims the place. */
  #receive(now: number, word: number): void {
    const { state } = this.guest;
    if (this.#isQuarantined) return state.quarantine();
    if (state.isVacant(word)) return;
    if (!state.isClaim(word)) return this.#clear(word);
    if (this.#admits) this.#open(now, word);
  }

  #shut(): void {
    this.guest.state.retire();
    this.guest.gate.close();
    this.region.wakeLcores();
    this.#phase = "closing";
  }

  #quarantine(): void {
    this.#isQuarantined = true;
    this.#isSilent = false;
    const { violations } = this.guest;
    this.#log(`is in quarantine until the host is started anew: ${violations.text}`, "error", true);
    if (this.#phase === "quiesced") this.#closed();
    else if (this.#phase === "open" || this.#phase === "opening") this.#shut();
  }

  /** The guest gave up before we looked, or wrote garbage. */
  #clear(word: number): void {
    if (stateOf(word) === GUEST_STATE.ATTACHING) this.guest.violations.countIntroduction();
    else if (stateOf(word) !== GUEST_STATE.DETACHING) this.guest.violations.countState();
    this.guest.state.retire(); // what was claimed there, nobody can claim again
    this.guest.state.clear();
  }

  /** Whether this word is of the guest that was let in, in that state. */
  #isOurs(word: number, state: number): boolean {
    return stateOf(word) === state && isSameGuest(word, this.#claim);
  }

  #detached(word: number): void {
    if (!this.#isOurs(word, GUEST_STATE.DETACHING)) this.guest.violations.countState();
    this.close("detached");
  }

  #open(now: number, word: number): void {
    this.#heart = new HeartbeatWatch(this.guest.state.heartbeat, now);
    this.#claim = word;
    this.guest.state.retire();
    const { state, gate } = this.guest;
    this.#presence.begin(word, now);
    const { eventfds } = this.#presence;
    state.isNotified = eventfds.length > 0 && !eventfds.includes(-1); // or else it takes naps
    gate.open(wantsMbufs(word), eventfds, notifies(word));
    this.region.wakeLcores();
    this.#phase = "opening";
  }

  #opened(): void {
    this.#phase = "open";
    const { state, gate, violations } = this.guest;
    gate.offloads = state.offloads;
    if (state.move("host", GUEST_STATE.ATTACHING, GUEST_STATE.RUNNING, this.#claim)) {
      this.#log(`attached (own pid ${state.pid})`);
    } else if (!this.#isOurs(state.word, GUEST_STATE.DETACHING)) violations.countState();
  }

  #closeSilent(): void {
    this.close("died: its heartbeat stopped");
    this.#isSilent = true;
  }

  /** The lanes have let go, but maybe not the guest. */
  #retire(word: number): void {
    const mayWake = this.#isOurs(word, GUEST_STATE.RUNNING) && !this.#presence.hasLeft &&
      !this.#presence.isLost;
    if (!mayWake) return this.#closed();
    // Also if it holds nothing: it may yet dequeue mbufs that its successor is lent.
    const held = this.region.ledger.mbufsHeldBy(this.guest.number);
    if (!this.guest.state.move("host", GUEST_STATE.RUNNING, GUEST_STATE.RETIRED, word)) return;
    this.#log(`held ${held} mbufs: withheld, as it may only be paused`);
    this.#phase = "quiesced";
  }

  #closed(): void {
    const swept = this.region.ledger.sweep(this.guest.number, (index) => {
      this.#one.words[0] = index;
      this.region.mempool.free(this.#one, 1);
    });
    this.region.mempool.close();
    this.lost += swept.frames;
    this.guest.outstanding.add(-swept.mbufs);
    if (swept.mbufs > 0) this.#log(`held ${swept.mbufs} mbufs: taken back`);
    if (this.region.wipe) return this.#beginWipe();
    this.#vacate();
  }

  #beginWipe(): void {
    this.guest.gate.shut();
    this.region.wakeLcores();
    this.#phase = "wiping";
  }

  #wiped(): void {
    this.region.wipe?.();
    this.guest.gate.close();
    this.region.wakeLcores();
    this.#vacate();
  }

  /** The place is free for the next guest. */
  #vacate(): void {
    if (this.#isQuarantined) this.guest.state.quarantine();
    else this.guest.state.clear();
    this.#presence.end();
    this.#phase = "closed";
  }

  #log(what: string, level: Level = "info", isRare = false): void {
    const { name } = this.guest;
    this.region.log(`${name} ${what}`, { level, cause: name, isRare });
  }
}
