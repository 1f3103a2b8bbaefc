import { GUEST_STATE, type GuestState } from "../channel/guest_state.ts";
import type { Ledger } from "../channel/ledger.ts";
import type { Mempool } from "../mempool/mempool.ts";
import type { Gate } from "./gate.ts";

/** A guest whose heartbeat stands still for so long is dead. */
const TIMEOUT_MS = 2000;

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

  /**
   * Begins with nobody in the place and the gate closed. For the main thread alone.
   *
   * @param mempool The main thread's own end: what a guest held is freed there.
   * @param log Told in one line of each guest that comes or goes.
   */
  constructor(
    readonly guest: number,
    private readonly state: GuestState,
    private readonly gate: Gate,
    private readonly ledger: Ledger,
    private readonly mempool: Mempool,
    private readonly log: (line: string) => void,
  ) {}

  /** Whether a guest is forwarding. */
  get isOpen(): boolean {
    return this.#phase === "open";
  }

  /** Whether all that was lent is back. */
  get isClosed(): boolean {
    return this.#phase === "closed";
  }

  /** Look once. `now` is a clock in milliseconds. */
  step(now: number): void {
    const state = this.state.state;
    switch (this.#phase) {
      case "closed":
        if (state === GUEST_STATE.ATTACHING) this.#open(now);
        else if (state !== GUEST_STATE.ABSENT) this.state.clear(); // gave up unseen, or garbage
        break;
      case "opening":
        if (this.gate.isAcknowledged) this.#opened();
        break;
      case "open":
        if (state !== GUEST_STATE.RUNNING) this.close("detached");
        else if (this.#isDead(now)) this.close("died: its heartbeat stopped");
        break;
      case "closing":
        if (this.gate.isAcknowledged) this.#closed();
        break;
    }
  }

  /** Close the gate; {@linkcode isClosed} once lanes have seen it and the mbufs are back. */
  close(why: string): void {
    if (this.#phase === "closed" || this.#phase === "closing") return;
    this.log(`guest ${this.guest} ${why}`);
    this.state.retire();
    this.gate.close();
    this.#phase = "closing";
  }

  #open(now: number): void {
    this.#beatAt = now;
    this.#heartbeat = this.state.heartbeat;
    this.state.retire();
    this.gate.open(this.state.wantsMbufs);
    this.#phase = "opening";
  }

  #opened(): void {
    this.#phase = "open";
    if (this.state.move("host", GUEST_STATE.ATTACHING, GUEST_STATE.RUNNING)) {
      this.log(`guest ${this.guest} attached (pid ${this.state.pid} in its own world)`);
    }
  }

  #closed(): void {
    const one = new Uint32Array(2);
    const swept = this.ledger.sweep(this.guest, (index) => {
      one[0] = index;
      this.mempool.free(one, 1);
    });
    this.mempool.close();
    this.held += swept.frames;
    if (swept.mbufs > 0) this.log(`guest ${this.guest} held ${swept.mbufs} mbufs: taken back`);
    this.state.clear();
    this.#phase = "closed";
  }

  #isDead(now: number): boolean {
    const heartbeat = this.state.heartbeat;
    if (heartbeat !== this.#heartbeat) {
      this.#heartbeat = heartbeat;
      this.#beatAt = now;
    }
    return now - this.#beatAt > TIMEOUT_MS;
  }
}
