import { check, FILE_ADVICE } from "../../../ffi/error.ts";
import { cString, shim } from "../../../ffi/shim.ts";
import { remove } from "../../linux/files.ts";
import { givePath, type Owner } from "../../linux/owner.ts";
import { PACKET_MAX, PacketSocket } from "../../linux/packet_socket.ts";
import { PollSet, READABLE } from "../../linux/poll_set.ts";
import { VERSION } from "../version.ts";

/** Clients at a time; more wait. */
const CLIENTS_MAX = 16;

/** Makes a path's answer; `parameters` is the text behind its comma. */
export type Answer = (parameters: string) => unknown;

/** The paths that can be asked for. */
export type Answers = ReadonlyMap<string, Answer>;

/** What a client is told first, as DPDK's telemetry has it (rte_telemetry, version 2). */
export function greeting(): string {
  return JSON.stringify({
    version: `culvert ${VERSION}`,
    pid: Deno.pid,
    max_output_len: PACKET_MAX,
  });
}

/**
 * Answers clients of DPDK's telemetry protocol: a packet is `PATH` or `PATH,PARAMETERS`, its answer
 * JSON, an object whose only key is the path.
 */
export class ControlServer {
  readonly #listener: number;
  readonly #wake: number;
  readonly #clients = new Set<PacketSocket>();
  #isOver = false;

  /**
   * Listen.
   *
   * @param owner The user and the group that may connect.
   * @throws {ShimError} if the path cannot be listened at.
   */
  constructor(readonly path: string, private readonly answers: Answers, owner: Owner) {
    this.#listener = listen(path);
    try {
      givePath(path, owner);
      this.#wake = check(shim.shim_eventfd(), "make an eventfd");
    } catch (error) {
      shim.shim_fd_close(this.#listener);
      throw error;
    }
  }

  /** Answer until {@linkcode close}. */
  async serve(): Promise<void> {
    const poll = new PollSet();
    while (!this.#isOver) {
      poll.clear();
      poll.add(this.#wake, READABLE);
      const isFull = this.#clients.size >= CLIENTS_MAX;
      if (!isFull) poll.add(this.#listener, READABLE);
      for (const { fd } of this.#clients) poll.add(fd, READABLE);
      await poll.wait(Infinity);
      if (this.#isOver) break;
      this.#accept();
      for (const client of this.#clients) {
        if (!this.#isOver) await this.#hear(client);
      }
    }
    for (const client of this.#clients) client.close();
    shim.shim_fd_close(this.#listener);
    shim.shim_fd_close(this.#wake);
  }

  /** Listen no more; {@linkcode serve} returns soon. */
  close(): void {
    this.#isOver = true;
    shim.shim_eventfd_signal(this.#wake);
    remove(this.path);
  }

  #accept(): void {
    while (this.#clients.size < CLIENTS_MAX) {
      const fd = shim.shim_unix_accept(this.#listener, 0);
      if (fd < 0) return;
      const client = new PacketSocket(fd);
      client.send(greeting());
      this.#clients.add(client);
    }
  }

  async #hear(client: PacketSocket): Promise<void> {
    const heard = client.receive();
    if (heard === "nothing") return;
    if (heard === "closed") {
      this.#clients.delete(client);
      client.close();
      return;
    }
    client.send(await this.#answer(heard.text));
  }

  async #answer(text: string): Promise<string> {
    const comma = text.indexOf(",");
    const path = comma < 0 ? text : text.slice(0, comma);
    const parameters = comma < 0 ? "" : text.slice(comma + 1);
    const answer = JSON.stringify({ [path]: await this.#valueOf(path, parameters) });
    return answer.length <= PACKET_MAX ? answer : JSON.stringify({
      [path]: { error: `The answer has ${answer.length} bytes: ask for less` },
    });
  }

  async #valueOf(path: string, parameters: string): Promise<unknown> {
    try {
      return await this.answers.get(path)?.(parameters) ?? null;
    } catch (error) {
      return { error: (error as Error).message };
    }
  }
}

/** Listen at `path`. A socket that nobody answers at any more is replaced. */
function listen(path: string): number {
  let fd = shim.shim_unix_listen_packets(cString(path));
  if (fd < 0) {
    const other = shim.shim_unix_connect_packets(cString(path), 100);
    if (other >= 0) shim.shim_fd_close(other);
    else {
      remove(path);
      fd = shim.shim_unix_listen_packets(cString(path));
    }
  }
  return check(fd, `listen at ${path}`, {
    ...FILE_ADVICE,
    EADDRINUSE: "another host has that name: use another --control",
  });
}
