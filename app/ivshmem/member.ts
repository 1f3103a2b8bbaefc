import { check, ShimError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { type Announced, Outbox, type Sending } from "./outbox.ts";

/** The process at the other end of a socket, as it was when it connected. */
export interface Credentials {
  /** Process id; 0 if it is in another PID namespace. */
  readonly pid: number;
  /** User id. */
  readonly uid: number;
  /** Group id. */
  readonly gid: number;
}

/**
 * The process at the other end of a UNIX socket (`SO_PEERCRED`).
 *
 * @throws {ShimError} if it is no socket.
 */
export function credentialsOf(socket: number): Credentials {
  const ids = new Uint32Array(3);
  check(shim.shim_unix_peer(socket, ids), "see who is at the other end of a socket");
  return { pid: ids[0], uid: ids[1], gid: ids[2] };
}

/** What was read from a member, to which the protocol gives nothing to send. */
export type Heard = "nothing" | "left" | { readonly bytes: number; readonly descriptors: number };

/**
 * A connection of the server: its socket, its vectors, and the messages that it has still to get.
 */
export class Member implements Announced {
  /** The process. */
  readonly credentials: Credentials;
  /** Its vectors. */
  readonly eventfds: readonly number[];
  readonly #outbox: Outbox;
  #stuckSince = Infinity;
  #laterAt = Infinity;

  /**
   * Take over a connection. The member is to be told of the memory and of all members in the
   * roster, where its own place is the next one.
   *
   * @param joinedAt When it came, as the server counts.
   * @throws {ShimError} if there are no descriptors left for its vectors. The socket stays the
   * caller's.
   */
  constructor(
    readonly id: number,
    readonly socket: number,
    vectors: number,
    readonly joinedAt: number,
    memoryFd: number,
    roster: readonly Announced[],
  ) {
    this.credentials = credentialsOf(socket);
    this.eventfds = newEventfds(vectors);
    this.#outbox = new Outbox(socket, this, memoryFd, roster);
  }

  /** When it last took a message, in ms, if more wait for it; Infinity if none waits. */
  get stuckSince(): number {
    return this.#stuckSince;
  }

  /** When to try again, where poll(2) cannot tell; in ms, else Infinity. */
  get laterAt(): number {
    return this.#laterAt;
  }

  /** Whether poll(2) tells when it takes more. */
  get isFull(): boolean {
    return this.isWaiting && this.#laterAt === Infinity;
  }

  /** Whether it takes nothing now: poll(2) or the clock tells when to try again. */
  get isWaiting(): boolean {
    return this.#stuckSince !== Infinity;
  }

  /** Messages that wait, beyond those that it is greeted with. */
  get backlog(): number {
    return this.#outbox.backlog;
  }

  /** The peer that stood at that place of the roster has left. */
  hasLeft(place: number, id: number): void {
    this.#outbox.hasLeft(place, id);
  }

  /**
   * Send what its socket takes.
   *
   * @param now In milliseconds.
   * @param patience Milliseconds until another try where the kernel has no room.
   * @param counts Counts the calls.
   */
  flush(now: number, patience: number, counts: { sends: number }): Sending {
    const before = this.#outbox.sent;
    const result = this.#outbox.flush(counts);
    if (result === "done") this.#stuckSince = Infinity;
    else if (this.#stuckSince === Infinity || this.#outbox.sent > before) this.#stuckSince = now;
    this.#laterAt = result === "later" ? now + patience : Infinity;
    return result;
  }

  /** Take, and throw away, what it has sent. */
  hear(): Heard {
    const descriptors = new Uint32Array(1);
    const bytes = shim.shim_unix_discard(this.socket, descriptors);
    if (bytes >= 0) return { bytes, descriptors: descriptors[0] };
    const { code } = new ShimError("", -bytes);
    return code === "EAGAIN" || code === "EINTR" ? "nothing" : "left";
  }

  /** Close the connection. */
  close(): void {
    shim.shim_fd_close(this.socket);
    for (const eventfd of this.eventfds) shim.shim_fd_close(eventfd);
  }
}

function newEventfds(count: number): number[] {
  const eventfds: number[] = [];
  try {
    while (eventfds.length < count) eventfds.push(check(shim.shim_eventfd(), "make an eventfd"));
  } catch (error) {
    for (const eventfd of eventfds) shim.shim_fd_close(eventfd);
    throw error;
  }
  return eventfds;
}
