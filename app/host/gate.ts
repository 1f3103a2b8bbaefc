import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { LINE } from "../memory/layout.ts";

/**
 * Bits of a gate word: whether lanes may use the guest's channels, whether to lend it mbufs,
 * whether it wakes the host.
 */
const OPEN = 1;
const WANTS_MBUFS = 2;
const NOTIFIES = 4;
/** Lanes free all their mbufs, and touch none. */
const SHUT = 8;
/** The guest takes super-frames: the one bit that may change while the gate is open. */
const OFFLOADS = 16;
const STEP = 32;

/** Word indexes: the guest's eventfds, their number first; the lcores' acknowledgements. */
const EVENTFDS = LINE, ACKNOWLEDGEMENTS = 3 * LINE;
/** Most eventfds, one a vector, of a guest that are used. */
const EVENTFDS_MAX = ACKNOWLEDGEMENTS - EVENTFDS - 1;

/**
 * The gate in front of one guest, in host-private memory: the main thread opens and closes it, and
 * knows from each lcore's acknowledgement when all of them have seen that. The guest can reach none
 * of this.
 *
 * Word 0 is the gate, written by the main thread, as are the eventfds that wake the guest; each
 * lcore's acknowledgement has a line of its own.
 */
export class Gate {
  readonly #memory: MappedMemory;

  private constructor(readonly handle: MappedMemoryHandle, readonly lcores: number) {
    this.#memory = new MappedMemory(handle);
  }

  /** A closed gate. `lcores` lcores have lanes to the guest. */
  static create(lcores: number): Gate {
    return new Gate(MappedMemory.ofProcess((ACKNOWLEDGEMENTS + lcores * LINE) * 4).handle, lcores);
  }

  /**
   * Let lanes use the channels, whose rings they first reset.
   *
   * @param eventfds What wakes the guest's lcores, by vector: open until the gate has been closed,
   * or -1.
   * @param notifies Whether the guest wakes the host.
   */
  open(wantsMbufs: boolean, eventfds: readonly number[] = [], notifies = false): void {
    const used = eventfds.slice(0, EVENTFDS_MAX);
    this.#memory.u32.set([used.length, ...used], EVENTFDS);
    const next = (this.#memory.load(0) & ~(STEP - 1)) + STEP;
    const wishes = (wantsMbufs ? WANTS_MBUFS : 0) | (notifies ? NOTIFIES : 0);
    this.#memory.store(0, (next | OPEN | wishes) >>> 0);
  }

  /** While the gate is open: tell lanes whether the guest takes super-frames. */
  set offloads(offloads: boolean) {
    const value = this.#memory.load(0);
    const next = (offloads ? value | OFFLOADS : value & ~OFFLOADS) >>> 0;
    if (next !== value) this.#memory.store(0, next);
  }

  /** Keep lanes away from the channels. */
  close(): void {
    this.#memory.store(0, ((this.#memory.load(0) & ~(STEP - 1)) + STEP) >>> 0);
  }

  /** Have lanes let go of all their mbufs, not only of the guest's, until the next change. */
  shut(): void {
    this.#memory.store(0, ((this.#memory.load(0) & ~(STEP - 1)) + STEP | SHUT) >>> 0);
  }

  /** Whether all lcores have seen the last change and act on it. */
  get isAcknowledged(): boolean {
    const value = this.#memory.load(0);
    for (let lcore = 0; lcore < this.lcores; lcore++) {
      if (this.#memory.load(ACKNOWLEDGEMENTS + lcore * LINE) !== value) return false;
    }
    return true;
  }

  /** Give its memory back. No lcore may be looking at it any more. */
  dispose(): void {
    this.#memory.close();
  }
}

/** One lcore's end of a {@linkcode Gate}. */
export class GateFollower {
  /** Whether the channels may be used. */
  isOpen = false;
  /** Whether no mbuf may be touched, nor taken from the mempool. */
  isShut = false;
  /** Whether the guest is to be lent empty mbufs. */
  wantsMbufs = false;
  /** Whether the guest wakes the host. */
  notifies = false;
  /** Whether the guest takes super-frames. */
  offloads = false;
  /** Whether the guest has lcores that may sleep until they are woken. */
  canWake = false;

  #eventfds = new Int32Array(0);
  readonly #memory: MappedMemory;
  readonly #acknowledgement: number;
  readonly #resetRings: () => void;
  readonly #letGo: () => void;
  #seen = 0;

  /**
   * Closed, whatever the gate says, until the first {@linkcode follow}.
   *
   * @param lcore This lcore's number among those that have lanes to the guest, from 0.
   * @param resetRings Empties the rings of this lcore's channels to the guest, before the gate
   * opens.
   * @param letGo Gives back all mbufs that this lcore's ports to the guest, and its cache, hold.
   */
  constructor(
    handle: MappedMemoryHandle,
    lcore: number,
    resetRings: () => void,
    letGo: () => void = () => {},
  ) {
    this.#memory = new MappedMemory(handle);
    this.#acknowledgement = ACKNOWLEDGEMENTS + lcore * LINE;
    this.#resetRings = resetRings;
    this.#letGo = letGo;
  }

  /** Whether the gate has changed since the last {@linkcode follow}. */
  get hasNews(): boolean {
    return this.#memory.load(0) !== this.#seen;
  }

  /** Wake the guest's lcore at `vector`; false if there is no such vector that we could open. */
  wake(vector: number): boolean {
    const eventfds = this.#eventfds;
    return vector < eventfds.length && shim.shim_eventfd_signal(eventfds[vector]) === 0;
  }

  /** Once a turn, between bursts: follow the gate, and say so. */
  follow(): void {
    const value = this.#memory.load(0);
    if (value === this.#seen) return;
    const isSameGate = (value ^ this.#seen) === OFFLOADS;
    this.#seen = value;
    this.offloads = (value & OFFLOADS) !== 0;
    if (isSameGate) return this.#memory.store(this.#acknowledgement, value);
    this.isOpen = (value & OPEN) !== 0;
    this.wantsMbufs = (value & WANTS_MBUFS) !== 0;
    this.notifies = (value & NOTIFIES) !== 0;
    const { u32 } = this.#memory;
    const eventfds = this.isOpen ? u32[EVENTFDS] : 0;
    this.#eventfds = Int32Array.from(u32.subarray(EVENTFDS + 1, EVENTFDS + 1 + eventfds));
    this.canWake = eventfds > 0;
    this.isShut = (value & SHUT) !== 0;
    if (this.isOpen) this.#resetRings();
    if (this.isShut) this.#letGo();
    this.#memory.store(this.#acknowledgement, value);
  }
}
