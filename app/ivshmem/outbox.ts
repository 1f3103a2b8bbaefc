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

/** How the kernel says "later", which no poll(2) waits for. */
const LATER = ["ETOOMANYREFS", "ENOBUFS", "ENOMEM"];

/** The members that others are told of. */
export interface Announced {
  /** Its id. */
  readonly id: number;
  /** Its vectors, as many as everybody's. */
  readonly eventfds: readonly number[];
}

/**
 * What one member is still to be told. Nothing is kept for it but how far it has got in the list of
 * all that are there, and the ids of those that have left behind that point: a member that reads
 * nothing costs no more than this, however many come and go.
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
   * All is still to be said.
   *
   * @param socket One that does not block.
   * @param roster All that are there, in the order of their coming; `own` is to be its next.
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

  /** The peer that stood at that place of the roster has left: say so if it was mentioned. */
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
