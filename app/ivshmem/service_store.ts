import { CulvertError } from "../../ffi/error.ts";
import { MappedMemory, sealedMemfd } from "../../ffi/mapped_memory.ts";
import { readKernelFile } from "../linux/kernel_file.ts";
import type { ServiceManager } from "../linux/service_manager.ts";
import type { ClaimedSocket } from "./claim_socket.ts";
import { shim } from "../../ffi/shim.ts";

/** What the descriptors of a service are called; `culvert units` writes the first one. */
const SOCKET = "socket", MEMORY = "memory", IDS = "ids";

/** O_NONBLOCK, in /proc/self/fdinfo. */
const NON_BLOCKING = 0o4000;

const PAGE = 4096;

/**
 * What a service manager keeps of a server, so that the next process of that service goes on: the
 * socket that it listens at, the region's memory, and how many ids were given. Members of a server
 * that was killed stay in their memory, and newcomers find them there.
 */
export class ServiceStore {
  /** The listening socket; undefined if the server is to make its own. */
  readonly socket?: ClaimedSocket;
  /** The memory of the server before; undefined if this is the first one. */
  readonly memoryFd?: number;
  /** The first id that was never given. */
  readonly firstId: number;
  readonly #ids?: MappedMemory;

  /**
   * Take what the service manager has kept.
   *
   * @throws {CulvertError} if the socket cannot be used.
   */
  constructor(private readonly manager: ServiceManager) {
    const { inherited } = manager;
    const listener = inherited.get(SOCKET);
    if (listener !== undefined) {
      checkListener(listener);
      // Its path stays: the service manager listens on, for the next server.
      this.socket = { listener, release: () => void shim.shim_fd_close(listener) };
    }
    this.memoryFd = inherited.get(MEMORY);
    this.#ids = this.#mapIds(inherited.get(IDS));
    this.firstId = this.#ids?.load(0) ?? 0;
  }

  /** Note the first id that was never given. */
  readonly given = (next: number): void => this.#ids?.store(0, next);

  /** Have the memory kept. */
  keep(memoryFd: number): void {
    if (this.memoryFd === undefined) this.manager.store(MEMORY, memoryFd);
  }

  /** Unmap what was mapped. */
  close(): void {
    this.#ids?.close();
  }

  #mapIds(kept: number | undefined): MappedMemory | undefined {
    if (!this.manager.listens) return undefined;
    const fd = kept ?? sealedMemfd("culvert-ids", PAGE);
    const ids = MappedMemory.ofFile(fd, PAGE, "the ids that were given");
    if (kept === undefined) this.manager.store(IDS, fd);
    shim.shim_fd_close(fd);
    return ids;
  }
}

function checkListener(fd: number): void {
  const flags = /^flags:\s*([0-7]+)$/m.exec(readKernelFile(`/proc/self/fdinfo/${fd}`))?.[1] ?? "0";
  if ((parseInt(flags, 8) & NON_BLOCKING) !== 0) return;
  throw new CulvertError(
    "Cannot serve on the socket that the service manager passes as accepting would wait: write " +
      "NonBlocking=yes into the [Service] of this unit",
  );
}
