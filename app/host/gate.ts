import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { LINE } from "../memory/layout.ts";

/** Bits of a gate word: whether lanes may use the guest's channels, whether to lend it mbufs. */
const OPEN = 1;
const WANTS_MBUFS = 2;
const STEP = 4;

/**
 * The gate in front of one guest, in host-private memory: the main thread opens and closes it, and
 * knows from each lcore's acknowledgement when all of them have seen that. The guest can reach none of this.
 *
 * Word 0 is the gate, written by the main thread; each lcore's acknowledgement has a line of its own.
 */
export class Gate {
  readonly #memory: MappedMemory;

  private constructor(readonly handle: MappedMemoryHandle, readonly lcores: number) {
    this.#memory = new MappedMemory(handle);
  }

  /** A closed gate for so many lcores. */
  static create(lcores: number): Gate {
    return new Gate(MappedMemory.ofProcess((1 + lcores) * LINE * 4).handle, lcores);
  }

  /** Let lanes use the channels, whose rings they first reset. */
  open(wantsMbufs: boolean): void {
    const next = (this.#memory.load(0) & ~(STEP - 1)) + STEP;
    this.#memory.store(0, (next | OPEN | (wantsMbufs ? WANTS_MBUFS : 0)) >>> 0);
  }

  /** Keep lanes away from the channels. */
  close(): void {
    this.#memory.store(0, ((this.#memory.load(0) & ~(STEP - 1)) + STEP) >>> 0);
  }

  /** Whether all lcores have seen the last change and act on it. */
  get isAcknowledged(): boolean {
    const value = this.#memory.load(0);
    for (let lcore = 1; lcore <= this.lcores; lcore++) {
      if (this.#memory.load(lcore * LINE) !== value) return false;
    }
    return true;
  }
}

/** One lcore's end of a {@linkcode Gate}. */
export class GateKeeper {
  /** Whether the channels may be used. */
  isOpen = false;
  /** Whether the guest is to be lent empty mbufs. */
  wantsMbufs = false;

  readonly #memory: MappedMemory;
  readonly #acknowledgement: number;
  readonly #resetRings: () => void;
  #seen = 0;

  /**
   * Closed, whatever the gate says, until the first {@linkcode follow}.
   *
   * @param lcore This lcore's number among the host's, from 0.
   * @param resetRings Empties the rings of this lcore's channels to the guest, before the gate opens.
   */
  constructor(handle: MappedMemoryHandle, lcore: number, resetRings: () => void) {
    this.#memory = new MappedMemory(handle);
    this.#acknowledgement = (1 + lcore) * LINE;
    this.#resetRings = resetRings;
  }

  /** Once a turn, between bursts: follow the gate, and say so. */
  follow(): void {
    const value = this.#memory.load(0);
    if (value === this.#seen) return;
    this.#seen = value;
    this.isOpen = (value & OPEN) !== 0;
    this.wantsMbufs = (value & WANTS_MBUFS) !== 0;
    if (this.isOpen) this.#resetRings();
    this.#memory.store(this.#acknowledgement, value);
  }
}
