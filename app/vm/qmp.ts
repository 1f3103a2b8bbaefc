/**
 * Talks to a running QEMU by its machine protocol: lines of JSON over a UNIX socket
 * (docs/interop/qmp-spec.txt).
 *
 * @module
 */

import { CulvertError, kernelError } from "../../ffi/error.ts";

/** A command that QEMU refused, in its own words. */
export class QmpError extends CulvertError {
  /** How a stack trace calls it. */
  override name = "QmpError";

  /**
   * Its message is `Cannot carry out device_add as QEMU says: Bus 'x' not found`.
   *
   * @param command The QMP command.
   * @param className QEMU's error class, such as `GenericError` or `DeviceNotFound`.
   * @param description What QEMU says.
   */
  constructor(command: string, readonly className: string, readonly description: string) {
    super(`Cannot carry out ${command} as QEMU says: ${description}`);
  }
}

/** Something that happened in QEMU. */
export interface QmpEvent {
  /** Such as `DEVICE_DELETED`. */
  readonly event: string;
  /** What belongs to it; by event. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** A line from QEMU: the greeting, an event, or an answer. */
interface QmpMessage {
  readonly QMP?: { readonly version: { readonly qemu: Record<"major" | "minor", number> } };
  readonly event?: string;
  readonly data?: Record<string, unknown>;
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
}

interface EventWaiter {
  readonly isWanted: (event: QmpEvent) => boolean;
  readonly settle: (event: QmpEvent | undefined) => void;
}

const PATIENCE_MS = 10_000;

const HANG_UP = "QEMU has closed the connection: has it ended?";

/** A connection to QEMU's monitor. QEMU serves one client at a time. */
export class QmpClient implements Disposable {
  readonly #socket: Deno.Conn;
  readonly #path: string;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #greeting = Promise.withResolvers<QmpMessage>();
  readonly #pending = new Map<number, PromiseWithResolvers<QmpMessage>>();
  readonly #waiters = new Set<EventWaiter>();
  #commands = 0;
  #end: CulvertError | undefined;

  private constructor(socket: Deno.Conn, path: string) {
    this.#socket = socket;
    this.#path = path;
    this.#writer = socket.writable.getWriter();
    this.#greeting.promise.catch(() => {}); // connect() may have lost patience with it
    this.#read().then(
      () => this.#finish(HANG_UP),
      (error) => this.#finish(isHangUp(error) ? HANG_UP : String(error.message)),
    );
  }

  /**
   * Connect to the socket that QEMU was given as `-qmp unix:PATH,server=on,wait=off`.
   *
   * @param patience Milliseconds that QEMU may take to greet us.
   * @throws {CulvertError} if nobody listens there, another client is being served, or what listens
   * is no QMP monitor.
   */
  static async connect(path: string, patience = PATIENCE_MS): Promise<QmpClient> {
    const client = new QmpClient(await connectTo(path), path);
    try {
      const { QMP } = await client.#within(
        client.#greeting.promise,
        patience,
        () =>
          `no greeting came in ${
            patience / 1000
          } s: QEMU serves one client at a time, end the other ` +
          "one (libvirt?) or give QEMU a second -qmp socket",
      );
      if (!QMP) {
        throw client.#refuse("it does not greet as QMP does: is it a human monitor (-mon)?");
      }
      await client.execute("qmp_capabilities", {}, patience);
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /**
   * Have QEMU carry out a command.
   *
   * @param args The command's arguments.
   * @param patience Milliseconds that QEMU may take.
   * @returns What QEMU returns; the caller knows its shape.
   * @throws {QmpError} if QEMU refuses it.
   * @throws {CulvertError} if no answer comes in time, or QEMU ends.
   */
  async execute<T = unknown>(
    command: string,
    args: Record<string, unknown> = {},
    patience = PATIENCE_MS,
  ): Promise<T> {
    if (this.#end) throw this.#end;
    const id = ++this.#commands;
    const pending = Promise.withResolvers<QmpMessage>();
    pending.promise.catch(() => {}); // it may fail while the request is still being written
    this.#pending.set(id, pending);
    const line = JSON.stringify({ execute: command, arguments: args, id }) + "\n";
    try {
      await this.#writer.write(new TextEncoder().encode(line)).catch(() => {}); // #read() fails too
      const answer = await this.#within(
        pending.promise,
        patience,
        () =>
          `${command} was not answered in ${patience / 1000} s: QEMU hangs, or waits for somebody`,
      );
      if (answer.error) throw new QmpError(command, answer.error.class, answer.error.desc);
      return answer.return as T;
    } finally {
      this.#pending.delete(id);
    }
  }

  /**
   * Wait for an event. To be called before the command that brings it about.
   *
   * @param patience Milliseconds.
   * @returns undefined if it does not come in time, or the connection ends before.
   */
  event(isWanted: (event: QmpEvent) => boolean, patience: number): Promise<QmpEvent | undefined> {
    if (this.#end) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const timer = setTimeout(() => waiter.settle(undefined), patience);
      const waiter: EventWaiter = {
        isWanted,
        settle: (event) => {
          clearTimeout(timer);
          this.#waiters.delete(waiter);
          resolve(event);
        },
      };
      this.#waiters.add(waiter);
    });
  }

  /** Disconnect. What is under way fails. */
  close(): void {
    this.#finish("it was closed");
  }

  /** As {@linkcode close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#socket.readable.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) if (line.trim() !== "") this.#take(line);
    }
  }

  #take(line: string): void {
    const message = parse(line);
    if (!message) throw new Error(`it sends what is no JSON object: is it QEMU's QMP?`);
    const { event, data = {}, id } = message;
    if (event !== undefined) {
      for (const waiter of this.#waiters) {
        if (waiter.isWanted({ event, data })) waiter.settle({ event, data });
      }
    } else if (id !== undefined) this.#pending.get(id)?.resolve(message);
    else this.#greeting.resolve(message);
  }

  #finish(reason: string): void {
    if (this.#end) return;
    this.#end = this.#refuse(reason);
    this.#greeting.reject(this.#end);
    for (const { reject } of this.#pending.values()) reject(this.#end);
    for (const waiter of this.#waiters) waiter.settle(undefined);
    try {
      this.#socket.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error; // QEMU was first
    }
  }

  async #within<T>(promise: Promise<T>, patience: number, reason: () => string): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.#refuse(reason())), patience);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #refuse(reason: string): CulvertError {
    return new CulvertError(`Cannot use the QMP socket ${this.#path} as ${reason}`);
  }
}

async function connectTo(path: string): Promise<Deno.Conn> {
  try {
    return await Deno.connect({ transport: "unix", path });
  } catch (error) {
    const refuse = (found: string) =>
      new CulvertError(
        `Cannot connect to the QMP socket ${path} as ${found}: start QEMU with ` +
          `-qmp unix:${path},server=on,wait=off`,
        { cause: error },
      );
    if (error instanceof Deno.errors.NotFound) throw refuse("there is none");
    if (error instanceof Deno.errors.ConnectionRefused) throw refuse("nobody listens there");
    throw kernelError(error, `connect to the QMP socket ${path}`);
  }
}

/** Whether it says no more than that the other end is gone. */
function isHangUp(error: unknown): boolean {
  return error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.BrokenPipe;
}

function parse(line: string): QmpMessage | undefined {
  try {
    const value = JSON.parse(line);
    return typeof value === "object" && !Array.isArray(value) ? value ?? undefined : undefined;
  } catch {
    return undefined;
  }
}
