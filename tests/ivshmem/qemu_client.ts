import { equal, ok } from "node:assert/strict";
import { check } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { pause, until } from "../kit/wait.ts";

const EAGAIN = 11, ECONNRESET = 104;

const value = new BigInt64Array(1);
const passed = new Int32Array(1);

/** A message as it came. */
export interface Heard {
  readonly value: number;
  readonly fd: number;
}

/**
 * A client that takes messages as QEMU's ivshmem-client.c does, and is as strict: version without a
 * descriptor, own id without one, -1 with one; then vectors, in order, and leaves of peers that are
 * known. It shares no code with what is tested, but for the shim.
 */
export class QemuClient implements Disposable {
  readonly socket: number;
  id = -1;
  memoryFd = -1;
  readonly vectors: number[] = [];
  readonly peers = new Map<number, number[]>();
  /** All that was said, for tests that look at the order. */
  readonly heard: Heard[] = [];
  isLost = false;
  isClosed = false;
  readonly #fds = new Set<number>();

  /** Connect, but read nothing yet. */
  constructor(path: string) {
    this.socket = check(shim.shim_unix_connect(cString(path), 1000), `connect to ${path}`);
  }

  /** Read until the memory has come. */
  async greeted(): Promise<void> {
    await this.reads(() => this.memoryFd >= 0 || this.isLost, "the first messages");
    ok(!this.isLost, "lost connection to server");
  }

  /** Take what has come, until that holds. */
  async reads(condition: () => boolean, what: string): Promise<void> {
    await until(async () => {
      for (let before = -1; before < this.heard.length && !condition(); await pause(0)) {
        before = this.heard.length; // more follows as soon as the socket has room
        this.take();
      }
      return condition();
    }, what);
  }

  /** Read until peers with that many vectors are known, and no others. */
  async knows(ids: number[], vectors = 1): Promise<void> {
    const wanted = JSON.stringify([...ids].sort());
    const isSo = () =>
      JSON.stringify([...this.peers.keys()].sort()) === wanted &&
      [...this.peers.values()].every(({ length }) => length === vectors) &&
      this.vectors.length === vectors;
    await this.reads(isSo, `client ${this.id} knows ${ids}`);
  }

  /** Take all that is there. */
  take(): void {
    for (let message; (message = this.tryNext());) {
      if (this.memoryFd < 0) this.#greet(message, this.heard.length);
      else this.#handle(message);
    }
  }

  /** As ivshmem_client_connect() does. */
  #greet({ value, fd }: Heard, nth: number): void {
    equal(fd >= 0, nth === 3, `message ${nth} of the first`);
    if (nth === 1) equal(value, 0);
    if (nth === 2) ok(value >= 0 && value <= 65535, `${value}`);
    if (nth === 2) this.id = value;
    if (nth === 3) equal(value, -1);
    if (nth === 3) this.memoryFd = fd;
  }

  /** As ivshmem_client_handle_server_msg() does. */
  #handle({ value: id, fd }: Heard): void {
    const peer = id === this.id ? this.vectors : this.peers.get(id);
    if (fd === -1) {
      ok(peer !== undefined && id !== this.id, `delete for invalid peer ${id}`);
      for (const vector of peer) this.#drop(vector);
      this.peers.delete(id);
    } else if (peer === undefined) {
      this.peers.set(id, [fd]);
    } else {
      ok(peer.length < 64, "too many vectors");
      peer.push(fd);
    }
  }

  /** The next message, if it is there. */
  tryNext(): Heard | undefined {
    if (this.isLost || this.isClosed) return undefined;
    const result = shim.shim_unix_receive(this.socket, value, passed, 0);
    if (result === -EAGAIN) return undefined;
    if (result === -ECONNRESET) {
      this.isLost = true;
      return undefined;
    }
    equal(result, 0);
    if (passed[0] >= 0) this.#fds.add(passed[0]);
    const message = { value: Number(value[0]), fd: passed[0] };
    this.heard.push(message);
    return message;
  }

  #drop(fd: number): void {
    this.#fds.delete(fd);
    shim.shim_fd_close(fd);
  }

  /** Leave. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const fd of [this.socket, ...this.#fds]) shim.shim_fd_close(fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
