import { peerOf, presenceOf } from "../channel/state_word.ts";
import type { Eventfds, RegionPeers } from "./region_peers.ts";

/** Where a guest was seen to be a peer. */
interface Seen {
  /** The guest's eventfds at the server that the host was connected to then. */
  readonly eventfds: Eventfds;
  /** `presenceOf()` of its state word then: it changes with each server that the guest joins. */
  readonly said: number;
}

/** Whether the guest that was let in is still a peer of the region. Each place has one of these. */
export class GuestPresence {
  /** What wakes the guest: empty if nothing does, or nobody is there. */
  eventfds: Eventfds = [];
  #seen?: Seen;
  #hasPeerId = false;

  /** Nobody is there. */
  constructor(private readonly peers: RegionPeers) {}

  /** A guest is let in that has this state word. */
  begin(word: number, now: number): void {
    this.peers.poll(now); // it may have joined just now
    this.eventfds = this.peers.eventfdsOf(peerOf(word));
    this.#seen = this.#see(word);
    this.#hasPeerId = peerOf(word) !== undefined;
  }

  /**
   * The guest's state word may say that it has found the server again: then it is another peer
   * there.
   */
  follow(word: number): void {
    if (this.#seen === undefined || presenceOf(word) === this.#seen.said) return;
    const now = this.#see(word);
    if (now !== undefined && this.peers.knows(now.eventfds)) this.#seen = now;
  }

  /** The guest is gone, and no lcore wakes it any more. */
  end(): void {
    this.eventfds = [];
    this.#seen = undefined;
  }

  /** Whether lcores may be using these eventfds. */
  uses(eventfds: Eventfds): boolean {
    return this.eventfds === eventfds || this.#seen?.eventfds === eventfds;
  }

  /** Whether the server has said that it left. */
  get hasLeft(): boolean {
    return this.#seen !== undefined && this.peers.hasLeft(this.#seen.eventfds);
  }

  /**
   * Whether nobody could tell us that the guest is gone, though it has a peer id: its server is
   * gone itself, or the guest left, or was killed, so soon that we never saw it there.
   */
  get isLost(): boolean {
    return this.#seen === undefined ? this.#hasPeerId : !this.peers.knows(this.#seen.eventfds);
  }

  #see(word: number): Seen | undefined {
    const eventfds = this.peers.eventfdsOf(peerOf(word));
    return eventfds.length === 0 ? undefined : { eventfds, said: presenceOf(word) };
  }
}
