import { PEER_ID_MAX } from "./protocol.ts";

/**
 * The ids that a server gives: first those that were never used, then the one that has been free
 * for longest.
 *
 * No id is given again while a member is there that saw its last owner leave: QEMU frees what it
 * keeps of a peer that leaves, and still writes there if another peer comes with that id
 * (`close_peer_eventfds()` and `process_msg_connect()` in hw/misc/ivshmem.c, 7.2 and later).
 */
export class PeerIds {
  #next: number;
  /** Ids whose owners have left, and when; in this order. */
  readonly #retired: { readonly id: number; readonly at: number }[];

  /**
   * No id is given yet.
   *
   * @param limit How many ids there are.
   * @param first The first one to give: those below it were given by a server before us.
   * @param given Told the first id that was never given, each time that this changes.
   */
  constructor(
    private readonly limit: number = PEER_ID_MAX + 1,
    first = 0,
    private readonly given: (next: number) => void = () => {},
  ) {
    this.#next = first;
    this.#retired = Array.from({ length: first }, (_, id) => ({ id, at: 0 }));
  }

  /**
   * An id for a newcomer.
   *
   * @param oldest When the oldest member came; Infinity if there is none.
   * @returns undefined if there is none that is safe.
   */
  take(oldest: number): number | undefined {
    if (this.#next < this.limit) {
      this.given(this.#next + 1);
      return this.#next++;
    }
    const isSafe = this.#retired.length > 0 && this.#retired[0].at < oldest;
    return isSafe ? this.#retired.shift()!.id : undefined;
  }

  /**
   * Note that the owner of `id` has left, `at` a time: a count that grows whenever a member joins
   * or leaves.
   */
  retire(id: number, at: number): void {
    this.#retired.push({ id, at });
  }
}
