import { shim } from "../../ffi/shim.ts";
import { errnoName } from "../../ffi/error.ts";
import { MEMORY, type Message, NO_FD, PROTOCOL_VERSION } from "./protocol.ts";

/** What came of sending. */
export type Sending =
  /** All is sent. */
  | "done"
  /** The socket is full: wait until it is writable. */
  | "full"
  /** The kernel has no room, for descriptors under way or at all: try again later. */
  | "later"
  /** The other side is gone. */
  | "gone";

/** Errors that mean "later", but for whose end poll(2) cannot wait. */
const LATER = ["ETOOMANYREFS", "ENOBUFS", "ENOMEM"];

/** A member, as others are told of it. */
export interface Announced {
  /** Its id. */
  readonly id: number;
  /** Its vectors, as many as everybody's. */
  readonly eventfds: readonly number[];
}

/**
 * The messages that one member has still to get. They are not stored: an outbox knows how far its
 * member has got in the list of all members, and the ids of members before that point that have
 * left since. So a member that reads nothing costs no more than this, however many others join and
 * leave.
 */
export class Outbox {
  /** Its first messages: version, own id, memory. */
  readonly #first: readonly Message[];
  readonly #vectors: number;
  #firstSent = 0;
  /** The peer that it is told of now: its place in the roster, and how many vectors are sent. */
  #place = 0;
  #vector = 0;
  /** Its own place. The greeting ends with its own vectors. */
  #own: number;
  /** Peers that it was told of, and which have left. */
  readonly #left: number[] = [];
  #sent = 0;

  /**
   * Nothing is sent yet.
   *
   * @param socket One that does not block.
   * @param roster All members, in the order in which they joined; `own` is added next.
   */
  constructor(
    private readonly socket: number,
    own: Announced,
    memoryFd: number,
    private readonly roster: readonly Announced[],
  ) {
    this.#own = roster.length;
    this.#vectors = own.eventfds.length;
    this.#first = [
      { value: PROTOCOL_VERSION, fd: NO_FD },
      { value: own.id, fd: NO_FD },
      { value: MEMORY, fd: memoryFd },
    ];
  }

  /** How many messages wait, beyond the greeting. */
  get backlog(): number {
    const joined = this.roster.length - Math.max(this.#place, this.#own + 1);
    const begun = this.#place > this.#own ? this.#vector : 0;
    return this.#left.length + joined * this.#vectors - begun;
  }

  /** How many were sent. */
  get sent(): number {
    return this.#sent;
  }

  /**
   * The peer that stood at that place of the roster has left: tell the member, if it knows of that
   * peer.
   */
  hasLeft(place: number, id: number): void {
    const isBegun = place === this.#place && this.#vector > 0;
    if (isBegun) this.#vector = 0;
    if (this.#vectors > 0 && (isBegun || place < this.#place)) this.#left.push(id);
    if (place < this.#place) this.#place--;
    if (place < this.#own) this.#own--;
  }

  /**
   * Send what the socket takes. Never blocks.
   *
   * @param counts Counts the calls, also those that fail.
   */
  flush(counts: { sends: number }): Sending {
    for (let message; (message = this.#next()) !== undefined; this.#advance()) {
      counts.sends++;
      const result = shim.shim_unix_send(this.socket, BigInt(message.value), message.fd);
      if (result < 0) return sending(errnoName(-result));
    }
    return "done";
  }

  #next(): Message | undefined {
    if (this.#firstSent < this.#first.length) return this.#first[this.#firstSent];
    if (this.#isTellingLeft) return { value: this.#left[0], fd: NO_FD };
    if (this.#vectors === 0 || this.#place === this.roster.length) return undefined;
    const { id, eventfds } = this.roster[this.#place];
    return { value: id, fd: eventfds[this.#vector] };
  }

  /** Leaves are told after the greeting, and never between two vectors of one peer. */
  get #isTellingLeft(): boolean {
    return this.#left.length > 0 && this.#vector === 0 && this.#place > this.#own;
  }

  #advance(): void {
    this.#sent++;
    if (this.#firstSent < this.#first.length) this.#firstSent++;
    else if (this.#isTellingLeft) this.#left.shift();
    else if (++this.#vector === this.#vectors) {
      this.#vector = 0;
      this.#place++;
    }
  }
}

function sending(code: string): Sending {
  if (code === "EAGAIN") return "full";
  return LATER.includes(code) ? "later" : "gone";
}
