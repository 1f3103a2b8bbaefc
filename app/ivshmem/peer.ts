import { check, CulvertError, FILE_ADVICE, ShimError } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { Greeting, GREETING_MS, silentServer } from "./greeting.ts";
import { type Credentials, credentialsOf } from "./member.ts";
import { isPeerId, MEMORY, type Message, NO_FD, PEER_ID_MAX, receiveMessage } from "./protocol.ts";
import { MSIX_VECTORS_MAX } from "./vectors.ts";

/**
 * A peer's own vectors come last, and the server does not say how many: they are all there if none
 * follows for so long, and if they are as many as another peer has.
 */
const QUIET_MS = 20;

/** If fewer vectors than expected have come, wait so long: the server may be busy. */
const SHORT_MS = 300;

/** Most messages that one {@linkcode Peer.poll} takes. */
const POLL_MAX = 4096;

/** What a peer hears from its server. */
export type PeerEvent =
  | { readonly kind: "joined"; readonly id: number }
  /** The receiver closes its eventfds, once no lcore uses them. */
  | { readonly kind: "left"; readonly id: number; readonly eventfds: readonly number[] }
  /** We hear no more of peers that join or leave; all else goes on. Comes once. */
  | { readonly kind: "server-gone"; readonly reason: string };

/** A member of a region: it has the memory, its own vectors, and those of all other members. */
export class Peer {
  /** The memory's size in bytes. */
  readonly bytes: number;
  /** The server. */
  readonly server: Credentials;
  readonly #others = new Map<number, number[]>();
  readonly #vectors: number[] = [];
  readonly #memoryFd: number;
  #socket: number;
  #isClosed = false;

  private constructor(socket: number, readonly id: number, memoryFd: number, path: string) {
    this.bytes = memoryBytes(memoryFd, path);
    this.server = credentialsOf(socket);
    this.#socket = socket;
    this.#memoryFd = memoryFd;
  }

  /**
   * Become a member of the region whose server listens at `path`.
   *
   * @param vectors How many vectors it gives each peer, if that is known: if fewer have come, we
   * wait longer.
   * @param milliseconds How long its server may take to answer.
   * @returns undefined if nobody listens, or the server is just about to end.
   * @throws {CulvertError} if it may not be reached, does not speak the protocol, or does not
   * answer (only that has the code `SILENT_SERVER_CODE`).
   */
  static connect(path: string, vectors = 1, milliseconds = GREETING_MS): Peer | undefined {
    const socket = shim.shim_unix_connect(cString(path), milliseconds);
    if (socket >= 0) return Peer.over(socket, path, vectors, milliseconds);
    const { code } = new ShimError("", -socket);
    if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ENOTDIR") return undefined;
    if (code === "EAGAIN") throw silentServer(path, 0, "its queue of connections is full");
    check(socket, `connect to ${path}`, FILE_ADVICE);
  }

  /**
   * Become a member over a connected socket, which is the peer's from then on, or closed.
   *
   * @returns undefined if the server closes it before it has sent all first messages: it ends, or
   * was killed, and another one may take its place.
   * @throws {CulvertError} if the server does not speak the protocol.
   */
  static over(
    socket: number,
    path: string,
    vectors = 1,
    milliseconds = GREETING_MS,
  ): Peer | undefined {
    const greeting = new Greeting(socket, path, milliseconds);
    let peer: Peer | undefined;
    try {
      greeting.checkVersion();
      const id = greeting.ownId();
      const memoryFd = greeting.memory();
      try {
        peer = new Peer(socket, id, memoryFd, path);
      } catch (error) {
        shim.shim_fd_close(memoryFd);
        throw error;
      }
      peer.#takeVectors(greeting, vectors);
      return peer;
    } catch (error) {
      if (peer) peer.close();
      else shim.shim_fd_close(socket);
      if (greeting.isClosed) return undefined;
      throw error;
    }
  }

  /** The memory's descriptor, open until {@linkcode close}. */
  get memoryFd(): number {
    return this.#memoryFd;
  }

  /** Own eventfds by vector: each is readable once somebody has notified it. */
  get vectors(): readonly number[] {
    return this.#vectors;
  }

  /** The eventfds of all others, by id and vector: -1 for one that we might not open (EMFILE). */
  get others(): ReadonlyMap<number, readonly number[]> {
    return this.#others;
  }

  /** Whether the server is there. */
  get isConnected(): boolean {
    return this.#socket >= 0;
  }

  /** The connection: readable if {@linkcode poll} has news, -1 if the server is gone. */
  get socket(): number {
    return this.#socket;
  }

  /** What has happened since the last call. Never blocks, never throws. */
  poll(): PeerEvent[] {
    const events: PeerEvent[] = [];
    for (let i = 0; i < POLL_MAX && this.isConnected; i++) {
      const message = receiveMessage(this.#socket);
      if (message === "nothing") break;
      if (typeof message === "string") {
        events.push(this.#disconnect(`the connection is ${message}`));
      } else this.#take(message, events);
    }
    return events;
  }

  /**
   * Notify a peer by one of its vectors. Returns false if it is not there, or has no such vector
   * that we could open.
   */
  ring(id: number, vector: number): boolean {
    const eventfd = this.#others.get(id)?.[vector];
    return eventfd !== undefined && shim.shim_eventfd_signal(eventfd) === 0;
  }

  /** Forget all others: their eventfds are the caller's to close from now on. */
  takeOthers(): (readonly number[])[] {
    const taken = [...this.#others.values()];
    this.#others.clear();
    return taken;
  }

  /** Leave, and close all descriptors: no lcore may be using them. What is mapped stays. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.isConnected) shim.shim_fd_close(this.#socket);
    this.#socket = -1;
    for (const eventfd of [...this.#others.values(), this.#vectors].flat()) {
      shim.shim_fd_close(eventfd);
    }
    this.#others.clear();
    this.#vectors.length = 0;
    shim.shim_fd_close(this.#memoryFd);
  }

  #takeVectors(greeting: Greeting, wanted: number): void {
    const events: PeerEvent[] = [];
    for (;;) {
      const [another = []] = this.#others.values();
      const isShort = this.#vectors.length < Math.max(wanted, another.length);
      const message = greeting.next(isShort ? SHORT_MS : QUIET_MS);
      if (message === undefined) return;
      this.#take(message, events);
      for (const event of events.splice(0)) {
        if (event.kind === "server-gone") throw greeting.refuse(event.reason);
        if (event.kind === "left") event.eventfds.forEach((fd) => shim.shim_fd_close(fd));
      }
    }
  }

  #take({ value, fd, isCut }: Message, events: PeerEvent[]): void {
    const wrong = this.#faultOf(value, fd, isCut);
    if (wrong !== undefined) {
      if (fd !== NO_FD) shim.shim_fd_close(fd);
      events.push(this.#disconnect(wrong));
    } else if (value === this.id) {
      this.#vectors.push(fd);
    } else if (fd === NO_FD && !isCut) {
      this.#forget(value, events);
    } else { // cut: that vector cannot be notified, its lcore looks again after its nap
      this.#remember(value, fd, events);
    }
  }

  #faultOf(value: number, fd: number, isCut = false): string | undefined {
    if (value === MEMORY) return "it sent memory once more";
    if (!isPeerId(value)) return `it sent the id ${value} where 0 to ${PEER_ID_MAX} are ids`;
    const isGone = fd === NO_FD && !isCut;
    if (value === this.id && isCut) return "we may open no more files (ulimit -n)";
    if (value === this.id && isGone) {
      return `it says that we, peer ${value}, have left`;
    }
    const vectors = value === this.id ? this.#vectors : this.#others.get(value);
    if (!isGone && vectors?.length === MSIX_VECTORS_MAX) {
      return `it sent more than ${MSIX_VECTORS_MAX} vectors of peer ${value}`;
    }
  }

  #remember(id: number, eventfd: number, events: PeerEvent[]): void {
    const eventfds = this.#others.get(id);
    if (eventfds) {
      eventfds.push(eventfd);
      return;
    }
    this.#others.set(id, [eventfd]);
    events.push({ kind: "joined", id });
  }

  #forget(id: number, events: PeerEvent[]): void {
    const eventfds = this.#others.get(id);
    // QEMU's server announces that peers without vectors leave, but not that they join.
    if (!eventfds) return;
    this.#others.delete(id);
    events.push({ kind: "left", id, eventfds });
  }

  #disconnect(reason: string): PeerEvent {
    shim.shim_fd_close(this.#socket);
    this.#socket = -1;
    return { kind: "server-gone", reason };
  }
}

function memoryBytes(fd: number, path: string): number {
  const bytes = Number(shim.shim_file_size(fd));
  if (bytes > 0) return bytes;
  throw new CulvertError(
    `Cannot use ${path} as the memory that it hands out has no bytes: is it an ivshmem server?`,
  );
}
