import { equal } from "node:assert/strict";
import { check } from "../../ffi/error.ts";
import { sealedMemfd } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { Peer } from "../../app/ivshmem/peer.ts";
import { Folder } from "../ffi/folder.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";

/** Bytes of the memory that it hands out. */
export const MEMORY_BYTES = 8192;

/**
 * One connection of a server that says what a test tells it to, message by message, as QEMU's
 * ivshmem-server.c does: `server.says(0)`, `server.says(7)`, `server.says(-1, server.memoryFd)` ...
 * A client finds all of it in its socket.
 */
export class ScriptedServer implements Disposable {
  readonly folder: Folder = new Folder();
  readonly path: string = `${this.folder.path}/socket`;
  readonly memoryFd: number = sealedMemfd("test", MEMORY_BYTES);
  /** The client's end; it is the client's to close. */
  readonly client: number;
  readonly #listener: number;
  readonly #eventfds: number[] = [];
  #socket: number;

  constructor() {
    this.#listener = check(shim.shim_unix_listen(cString(this.path)), "listen");
    this.client = check(shim.shim_unix_connect(cString(this.path), 100), "connect");
    this.#socket = check(shim.shim_unix_accept(this.#listener, 0), "accept");
  }

  /** Send a message, with a descriptor or without. */
  says(value: number | bigint, fd = -1): void {
    equal(shim.shim_unix_send(this.#socket, BigInt(value), fd), 0);
  }

  /** Send the first four bytes of a message. */
  saysHalf(): void {
    using memory = freshMemory(4096);
    shim.shim_map_cells(memory.map, 0n, 64, 1);
    memory.u32.set([0, 4 << 16], 16); // a descriptor
    equal(shim.shim_tap_tx(this.#socket, memory.map, memory.map, 16, 1, -1), 1);
  }

  /** Send an id with a new eventfd, which is returned. */
  saysVector(id: number): number {
    const eventfd = check(shim.shim_eventfd(), "make an eventfd");
    this.#eventfds.push(eventfd);
    this.says(id, eventfd);
    return eventfd;
  }

  /** The first two messages of the greeting: the protocol's version, and the client's `id`. */
  saysId(id: number): void {
    this.says(0);
    this.says(id);
  }

  /** The first three messages of the greeting: version, the client's `id`, memory. */
  saysMemory(id: number): void {
    this.saysId(id);
    this.says(-1, this.memoryFd);
  }

  /** The whole greeting, in QEMU's order: others, two vectors each, then `id`'s own two. */
  greets(id: number, others: readonly number[] = []): Map<number, number[]> {
    this.saysMemory(id);
    return new Map(
      [...others, id].map((peer) => [peer, [this.saysVector(peer), this.saysVector(peer)]]),
    );
  }

  /** The peer at the other end, which has been greeted. */
  peer(): Peer {
    const peer = Peer.over(this.client, this.path);
    if (!peer) throw new Error("there is no peer");
    return peer;
  }

  /** Die. */
  closes(): void {
    if (this.#socket >= 0) shim.shim_fd_close(this.#socket);
    this.#socket = -1;
  }

  [Symbol.dispose](): void {
    this.closes();
    for (const fd of [this.#listener, this.memoryFd, ...this.#eventfds]) shim.shim_fd_close(fd);
    this.folder[Symbol.dispose]();
  }
}
