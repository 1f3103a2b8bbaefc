import { PEER_ID_MAX } from "./protocol.ts";

/**
 * The ids that a server gives. One that was never used comes before one that was; of those, the one
 * that has been free for longest. None is given again before all who knew its last owner have been
 * told that it left: until then a newcomer of that id would get interrupts meant for the other.
 */
export class PeerIds {
  #next = 0;
  readonly #free: number[] = [];
  /** Of each id that is not free yet, how many members are still to be told. */
  readonly #untold = new Map<number, number>();

  /**
   * None is given yet.
   *
   * @param limit How many ids there are.
   */
  constructor(private readonly limit: number = PEER_ID_MAX + 1) {}

  /** An id for a newcomer; undefined if there is none that is safe. */
  take(): number | undefined {
    return this.#next < this.limit ? this.#next++ : this.#free.shift();
  }

  /**
   * Its owner has left.
   *
   * @param untold How many members have not been told so yet.
   */
  retire(id: number, untold: number): void {
    if (untold === 0) this.#free.push(id);
    else this.#untold.set(id, untold);
  }

  /** One more member has been told of an id's retirement, or is itself gone. */
  told(id: number): void {
    const untold = this.#untold.get(id);
    if (untold === undefined) return;
    if (untold > 1) {
      this.#untold.set(id, untold - 1);
      return;
    }
    this.#untold.delete(id);
    this.#free.push(id);
  }
}
