import { CulvertError, ShimError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { credentialsOf } from "./member.ts";
import {
  isPeerId,
  MEMORY,
  type Message,
  NO_FD,
  PEER_ID_MAX,
  PROTOCOL_VERSION,
  receiveMessage,
} from "./protocol.ts";

const EMFILE = 24;

/** Milliseconds that all the first messages may take by default. */
export const GREETING_MS = 2000;

/** The code of the error for a server that is there and does not answer: it may still do so. */
export const SILENT_SERVER_CODE = "SILENT_SERVER";

/**
 * The error that says that the server at `path` does not answer.
 *
 * @param pid Its process; 0 if that is not known, as it is in another PID namespace.
 * @param found What was waited for.
 */
export function silentServer(path: string, pid: number, found: string): CulvertError {
  const who = pid > 0 ? ` (process ${pid})` : "";
  return new CulvertError(
    `Cannot use ${path} as its server${who} does not answer: ${found}; see whether it is stopped, ` +
      `or no ivshmem server`,
    { code: SILENT_SERVER_CODE },
  );
}

/** The first messages of a server. */
export class Greeting {
  /** Whether the server has closed the connection. */
  isClosed = false;
  readonly #end: number;

  /**
   * Over a connected socket, of the server at `path`.
   *
   * @param milliseconds How long all of them may take.
   */
  constructor(
    private readonly socket: number,
    private readonly path: string,
    private readonly milliseconds: number,
  ) {
    this.#end = performance.now() + milliseconds;
  }

  /** The error for a server that does not keep to the protocol. */
  refuse(found: string): CulvertError {
    return new CulvertError(
      `Cannot use ${this.path} as its server does not speak ivshmem protocol version ` +
        `${PROTOCOL_VERSION}: ${found}`,
    );
  }

  /**
   * Take the server's version.
   *
   * @throws {CulvertError} if it is another one, or does not come ({@linkcode SILENT_SERVER_CODE}).
   */
  checkVersion(): void {
    const { value, fd } = this.#expect("its version");
    this.#checkNone(fd, "its version");
    if (value !== PROTOCOL_VERSION) throw this.refuse(`it speaks version ${value}`);
  }

  /**
   * Take our id, which we have from now on.
   *
   * @throws {CulvertError} if it is none, or does not come.
   */
  ownId(): number {
    const { value, fd } = this.#expect("our id");
    this.#checkNone(fd, "our id");
    if (isPeerId(value)) return value;
    throw this.refuse(`it sent our id as ${value} where 0 to ${PEER_ID_MAX} are ids`);
  }

  /**
   * Take the memory: a descriptor, which is the caller's to close.
   *
   * @throws {CulvertError} if something else comes, or nothing.
   */
  memory(): number {
    const { value, fd } = this.#expect("the memory");
    if (value === MEMORY && fd !== NO_FD) return fd;
    if (fd !== NO_FD) shim.shim_fd_close(fd);
    const found = fd === NO_FD ? "no descriptor" : "a descriptor";
    throw this.refuse(`it sent ${value} with ${found} where ${MEMORY} with the memory is wanted`);
  }

  /** One of the messages that follow; undefined if none comes for so many milliseconds. */
  next(milliseconds: number): Message | undefined {
    const message = this.#receive(milliseconds);
    return message === "nothing" ? undefined : this.#whole(message, "a vector");
  }

  #expect(what: string): Message {
    const message = this.#receive(this.milliseconds);
    if (message !== "nothing") return this.#whole(message, what);
    const { pid } = credentialsOf(this.socket);
    const found = `${what} did not come within ${Math.ceil(this.milliseconds / 1000)} s`;
    throw silentServer(this.path, pid, found);
  }

  #whole(message: Message | "closed" | "broken", what: string): Message {
    if (typeof message !== "string") {
      if (message.isCut) throw new ShimError(`join the region of ${this.path}`, EMFILE);
      return message;
    }
    this.isClosed = message === "closed";
    throw this.refuse(`the connection is ${message} where ${what} is wanted`);
  }

  #checkNone(fd: number, what: string): void {
    if (fd === NO_FD) return;
    shim.shim_fd_close(fd);
    throw this.refuse(`it sent ${what} with a descriptor where none belongs`);
  }

  #receive(milliseconds: number): ReturnType<typeof receiveMessage> {
    const end = Math.min(this.#end, performance.now() + milliseconds);
    for (;;) {
      const message = receiveMessage(this.socket);
      const left = end - performance.now();
      if (message !== "nothing" || left <= 0) return message;
      shim.shim_poll(Int32Array.of(this.socket), 1, Math.ceil(left * 1000));
    }
  }
}
