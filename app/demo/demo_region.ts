import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { decodeRegion } from "../inspect/decode.ts";
import type { RegionReport } from "../inspect/region_report.ts";
import { Peer } from "../ivshmem/peer.ts";
import { findProcess, type Process } from "../linux/launcher.ts";
import { socketPath } from "../memory/region_name.ts";

/** Milliseconds between two looks whether the server has gone. */
const LOOK_MS = 20;

/**
 * The region of one demo, seen as its member: what its host and its guest are doing, and which
 * server has to be gone when the demo is.
 */
export class DemoRegion implements AsyncDisposable {
  readonly #path: string;
  #peer?: Peer;
  #memory?: MappedMemory;
  #server?: Process;

  /** Nobody need serve it yet. */
  constructor(name: string) {
    this.#path = socketPath(name);
  }

  /** Whether its host lets guests attach. */
  get isReady(): boolean {
    return this.#report?.host?.state === "READY";
  }

  /** Whether its guest forwards. */
  get hasGuest(): boolean {
    return this.#report?.guests[0]?.state === "RUNNING";
  }

  /** Be no member any more: as long as there are members, the server stays. */
  leave(): void {
    this.#memory?.close();
    this.#peer?.close();
    this.#memory = this.#peer = undefined;
  }

  /**
   * Have the server end, and wait until it has. Its host has ended: the server would end by itself,
   * a moment later; but not if the host was killed.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server) this.#join();
    this.leave();
    const server = this.#server;
    if (!server) return;
    const isThere = () => findProcess(server.pid)?.start === server.start;
    if (isThere()) Deno.kill(server.pid, "SIGTERM");
    while (isThere()) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }

  get #report(): RegionReport | undefined {
    if (!this.#memory) this.#join();
    return this.#memory && decodeRegion(this.#memory);
  }

  #join(): void {
    this.#peer = Peer.connect(this.#path);
    if (!this.#peer) return;
    const { memoryFd, bytes, server } = this.#peer;
    this.#server = findProcess(server.pid);
    this.#memory = MappedMemory.ofFile(memoryFd, bytes, "the demo's region");
  }
}
