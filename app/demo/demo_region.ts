import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { decodeRegion } from "../inspect/decode.ts";
import type { RegionReport } from "../inspect/region_report.ts";
import { Peer } from "../ivshmem/peer.ts";
import { findProcess, type Process } from "../linux/launcher.ts";
import { socketPath } from "../memory/region_name.ts";

/** Milliseconds between two looks whether the server has gone. */
const LOOK_MS = 20;

/**
 * The region of one demo, which we join as a member: we see what its host and its guest do, and
 * know which server has to end with the demo.
 */
export class DemoRegion implements AsyncDisposable {
  readonly #path: string;
  #peer?: Peer;
  #memory?: MappedMemory;
  #server?: Process;

  /** The region need not have a server yet. */
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

  /** Leave the region: its server stays as long as it has members. */
  leave(): void {
    this.#memory?.close();
    this.#peer?.close();
    this.#memory = this.#peer = undefined;
  }

  /**
   * End the server, and wait until it has ended. After the end of its host the server would end by
   * itself, a moment later; but not if the host was killed.
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
