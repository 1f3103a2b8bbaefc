import { ShimError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { type Message, NO_FD } from "./protocol.ts";

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

/** The messages for one member that its socket has not taken yet. */
export class Outbox {
  #waiting: Message[] = [];
  #first = 0;
  #sent = 0;

  /** Of a socket that does not block. */
  constructor(private readonly socket: number) {}

  /** How many wait. */
  get length(): number {
    return this.#waiting.length - this.#first;
  }

  /** How many were sent. */
  get sent(): number {
    return this.#sent;
  }

  /** Put a message behind the others. Its descriptor stays the caller's. */
  push(value: number, fd: number): void {
    this.#waiting.push({ value, fd });
  }

  /** Send what the socket takes. Never blocks. */
  flush(): Sending {
    while (this.#first < this.#waiting.length) {
      const { value, fd } = this.#waiting[this.#first];
      const result = shim.shim_unix_send(this.socket, BigInt(value), fd);
      if (result < 0) return sending(new ShimError("send", -result).code);
      this.#first++;
      this.#sent++;
    }
    this.#waiting = [];
    this.#first = 0;
    return "done";
  }

  /**
   * Take back what has not been sent of a peer's vectors: it has left, and its descriptors go.
   *
   * @returns how many there were.
   */
  withdraw(id: number): number {
    const before = this.length;
    this.#keep(({ value, fd }) => value !== id || fd === NO_FD);
    return before - this.length;
  }

  #keep(isKept: (message: Message) => boolean): void {
    this.#waiting = this.#waiting.slice(this.#first).filter(isKept);
    this.#first = 0;
  }
}

function sending(code: string): Sending {
  if (code === "EAGAIN") return "full";
  return LATER.includes(code) ? "later" : "gone";
}
