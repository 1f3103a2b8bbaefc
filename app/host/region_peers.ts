import type { Log } from "../linux/log.ts";
import { shim } from "../../ffi/shim.ts";
import { check } from "../../ffi/error.ts";
import type { Peer } from "../ivshmem/peer.ts";
import type { Reconnector } from "../region/reconnector.ts";

/** A peer's eventfds, by vector. */
export type Eventfds = readonly number[];

const NONE: Eventfds = [];

/** Milliseconds for which a peer is a newcomer: a guest loads its lcores' code, then claims. */
const NEWCOMER_MS = 1000;

/**
 * The other peers of a region, as its host's main thread knows them: whom to wake, and who is gone.
 *
 * If the server goes, the host looks for it, and joins again: as another peer, with other eventfds.
 * Guests that attached before go on waking the host by the eventfds that they have, so
 * {@linkcode vectors} stay as they are; guests that attach later use {@linkcode laterVectors}.
 */
export class RegionPeers {
  /**
   * Eventfds of the host's lcores, by vector, for guests that attached before the server was lost.
   */
  readonly vectors: Eventfds;
  /** The same for guests that attached after that. The numbers stay, what they name changes. */
  readonly laterVectors: Eventfds;
  #peer?: Peer;
  /** When a peer joined last. */
  #joinedAt = -Infinity;
  readonly #log: Log;
  readonly #reconnector?: Reconnector;
  /** Our membership of the first server: its owner closes it. */
  readonly #first: Peer | undefined;
  /** Eventfds of members of servers that are gone: they may be alive, and lcores may wake them. */
  readonly #before = new Set<Eventfds>();
  /** Eventfds of peers that have left our server, by their ids there: lcores may still use them. */
  readonly #left = new Map<Eventfds, number>();

  /**
   * Nobody is gone yet.
   *
   * @param peer Our own place among them, closed by its owner; undefined for a region without a
   * server.
   * @param log Told if the server goes, and if it is found again.
   * @param reconnector Finds it.
   */
  constructor(peer: Peer | undefined, log: Log, reconnector?: Reconnector) {
    this.#first = this.#peer = peer;
    this.#log = log;
    this.#reconnector = reconnector;
    this.vectors = [...peer?.vectors ?? []];
    this.laterVectors = reconnector
      ? this.vectors.map(() => check(shim.shim_eventfd(), "make an eventfd"))
      : [];
  }

  /** Our peer id; undefined for a region without a server. */
  get id(): number | undefined {
    return this.#peer?.id;
  }

  /** Take the server's news, several times a second. `now` is a clock in milliseconds. */
  poll(now: number): void {
    for (const event of this.#peer?.poll() ?? []) {
      if (event.kind === "left") this.#left.set(event.eventfds, event.id);
      else if (event.kind === "joined") this.#joinedAt = now;
      else {
        this.#log(`the server is gone (${event.reason}): forwarding goes on, nobody can join`, {
          level: "warning",
        });
      }
    }
    if (this.#peer && !this.#peer.isConnected) this.#joinAgain(this.#peer, now);
  }

  /** Whether a peer has just joined: a guest, perhaps, that is about to claim its place. */
  hasNewcomer(now: number): boolean {
    return now - this.#joinedAt < NEWCOMER_MS;
  }

  /** The eventfds of a peer, also of one that has just gone; none if nobody knows it. */
  eventfdsOf(id: number | undefined): Eventfds {
    if (id === undefined) return NONE;
    const here = this.#peer?.others.get(id);
    return here ?? [...this.#left].find(([, left]) => left === id)?.[0] ?? NONE;
  }

  /** Whether the peer whose eventfds these are is known to have gone. */
  hasLeft(eventfds: Eventfds): boolean {
    return this.#left.has(eventfds);
  }

  /** Whether it would be known if that peer went: it is one of the server that we are at. */
  knows(eventfds: Eventfds): boolean {
    const { isConnected = false, others } = this.#peer ?? {};
    return this.hasLeft(eventfds) || isConnected && [...others!.values()].includes(eventfds);
  }

  /** Close the eventfds of peers that are gone, or whose server is, if no lcore may use them. */
  release(isInUse: (eventfds: Eventfds) => boolean): void {
    for (const eventfds of [...this.#left.keys(), ...this.#before]) {
      if (isInUse(eventfds)) continue;
      for (const fd of eventfds) shim.shim_fd_close(fd);
      this.#left.delete(eventfds);
      this.#before.delete(eventfds);
    }
  }

  /**
   * Leave all but the first server, which our memory's owner leaves. No lcore may use an eventfd.
   */
  close(): void {
    if (this.#peer !== this.#first) this.#peer?.close();
    for (const fd of [...this.#before].flat()) shim.shim_fd_close(fd);
    for (const fd of this.laterVectors) shim.shim_fd_close(fd);
  }

  #joinAgain(last: Peer, now: number): void {
    const peer = this.#reconnector?.attempt(last, now);
    if (peer === undefined) return;
    this.laterVectors.forEach((later, vector) => {
      if (vector < peer.vectors.length) shim.shim_fd_copy(peer.vectors[vector], later);
    });
    for (const eventfds of this.#left.keys()) this.#left.set(eventfds, -1);
    for (const eventfds of last.takeOthers()) this.#before.add(eventfds);
    if (last !== this.#first) last.close(); // its vectors have been replaced
    this.#peer = peer;
    if (peer.others.size > 0) this.#joinedAt = now; // guests, perhaps, that joined it before us
    this.#log(`the server is there again: we are peer ${peer.id}, others can join`);
  }
}
