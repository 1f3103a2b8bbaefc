import { shim } from "../../ffi/shim.ts";
import type { Peer } from "../ivshmem/peer.ts";

/** A peer's eventfds, by vector. */
export type Eventfds = readonly number[];

const NONE: Eventfds = [];

/** The other peers of a region, as its host's main thread knows them: whom to wake, and who is gone. */
export class RegionPeers {
  readonly #peer?: Peer;
  readonly #log: (line: string) => void;
  /** Of peers that are gone; lcores may still use them. */
  readonly #left = new Set<Eventfds>();

  /**
   * Nobody is gone yet.
   *
   * @param peer Our own place among them; undefined for a region without a server.
   * @param log Told if the server goes.
   */
  constructor(peer: Peer | undefined, log: (line: string) => void) {
    this.#peer = peer;
    this.#log = log;
  }

  /** Take the server's news. Some times a second. */
  poll(): void {
    for (const event of this.#peer?.poll() ?? []) {
      if (event.kind === "left") this.#left.add(event.eventfds);
      else if (event.kind === "server-gone") {
        this.#log(`the server is gone (${event.reason}): forwarding goes on, nobody can join`);
      }
    }
  }

  /** The eventfds of a peer: none if it is not there. */
  eventfdsOf(id: number | undefined): Eventfds {
    return id === undefined ? NONE : this.#peer?.others.get(id) ?? NONE;
  }

  /** Whether the peer whose eventfds these are is known to have gone. */
  hasLeft(eventfds: Eventfds): boolean {
    return this.#left.has(eventfds);
  }

  /** Close the eventfds of all who are gone, but for those that lcores may still use. */
  release(isInUse: (eventfds: Eventfds) => boolean): void {
    for (const eventfds of this.#left) {
      if (isInUse(eventfds)) continue;
      for (const fd of eventfds) shim.shim_fd_close(fd);
      this.#left.delete(eventfds);
    }
  }
}
