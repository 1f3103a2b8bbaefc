import { shim } from "../../ffi/shim.ts";
import { claimSocket } from "../../app/ivshmem/claim_socket.ts";
import { makeMemory } from "../../app/ivshmem/served_memory.ts";
import { IvshmemServer, type ServerLimits } from "../../app/ivshmem/server.ts";
import { Folder } from "../ffi/folder.ts";
import { QemuClient } from "./qemu_client.ts";
import { until } from "../kit/wait.ts";

/** What a lab's server is like. */
export interface LabOptions extends Partial<ServerLimits> {
  readonly vectors?: number;
}

/**
 * A server at work in this process, and clients of it: `await using lab = await ServerLab.open()`.
 */
export class ServerLab implements AsyncDisposable {
  /** What it has logged. */
  readonly events: string[] = [];
  readonly troubles: string[] = [];
  readonly #stop = new AbortController();
  readonly #clients: QemuClient[] = [];
  readonly #readers: QemuClient[] = [];
  readonly #served: Promise<void>;

  private constructor(
    private readonly folder: Folder,
    readonly path: string,
    readonly server: IvshmemServer,
    private readonly ends: (() => void)[],
  ) {
    this.#served = server.serve(this.#stop.signal);
  }

  static async open({ vectors = 1, ...limits }: LabOptions = {}): Promise<ServerLab> {
    const folder = new Folder();
    const path = `${folder.path}/socket`;
    const socket = await claimSocket(path);
    const memory = makeMemory({ kind: "memfd" }, "test", 4096);
    const log = {
      event: (line: string) => void lab.events.push(line),
      trouble: (line: string) => void lab.troubles.push(line),
    };
    const region = { listener: socket.listener, memoryFd: memory.fd, vectors };
    const server = new IvshmemServer(region, log, limits);
    const lab = new ServerLab(folder, path, server, [socket.release, memory.close]);
    return lab;
  }

  /** A client that has connected and read nothing. */
  silentClient(): QemuClient {
    const client = new QemuClient(this.path);
    this.#clients.push(client);
    return client;
  }

  /** A client that has been greeted, and reads whenever another one comes or goes. */
  async client(): Promise<QemuClient> {
    const client = this.silentClient();
    await client.greeted();
    this.#readers.push(client);
    for (const reader of this.#readers) reader.take();
    return client;
  }

  /** Let a client leave, and the server see it. */
  async leaves(client: QemuClient): Promise<void> {
    const { left } = this.server.counts;
    client.close();
    await until(() => this.server.counts.left > left, "the server sees a client leave");
    for (const reader of this.#readers) reader.take();
  }

  /** Stop serving, and close all. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#served;
    this.server.close();
    for (const client of this.#clients) client.close();
    for (const end of this.ends) end();
    this.folder[Symbol.dispose]();
  }
}

/** Whether two descriptors are of one eventfd: what is signalled at one is read at the other. */
export function isSameEventfd(a: number, b: number): boolean {
  shim.shim_eventfd_drain(b);
  return shim.shim_eventfd_signal(a) === 0 && shim.shim_eventfd_drain(b) === 1;
}
