import { basename } from "node:path";
import { type Account, ownerFor } from "../linux/owner.ts";
import { claimSocket } from "./claim_socket.ts";
import { writePidfile } from "../linux/pidfile.ts";
import { ServiceManager } from "../linux/service_manager.ts";
import { MemoryUsers } from "./memory_users.ts";
import { makeMemory, type MemoryPlace, type ServedMemory } from "./served_memory.ts";
import { ServiceStore } from "./service_store.ts";
import { IvshmemServer, type ServerLog } from "./server.ts";
import { UNUSED_MS, UnusedWatch } from "./unused_watch.ts";

/** What a server is asked to do; see `culvert server --help`. */
export interface ServerOptions {
  /** Path of the socket. */
  readonly socket: string;
  /** Where the memory is made. */
  readonly memory: MemoryPlace;
  /** A power of two. */
  readonly bytes: number;
  /** Interrupt vectors of each peer. */
  readonly vectors: number;
  /** The first peer id, if another server has given those below it; 0 if left out. */
  readonly firstId?: number;
  /** Where to write our process id. */
  readonly pidfile?: string;
  /** End when there is nothing to keep any more. */
  readonly untilUnused: boolean;
  /** Whose socket and memory these are; left out, ours. */
  readonly account?: Account;
}

/**
 * Serve a region until `signal` says stop, or it is not used any more.
 *
 * @param ready Told, in a line, that peers may join now, and what they get.
 * @param manager Keeps socket and memory for the server after this one.
 * @throws {CulvertError} if socket, memory or pidfile are not to be had. Nothing is left behind.
 */
export async function runServer(
  options: ServerOptions,
  signal: AbortSignal,
  log: ServerLog,
  ready: (line: string) => void,
  manager: ServiceManager = ServiceManager.NONE,
): Promise<void> {
  const atEnd: (() => void)[] = [];
  try {
    const owner = ownerFor(options.account ?? {});
    const store = new ServiceStore(manager);
    atEnd.push(() => store.close());
    const socket = store.socket ?? await claimSocket(options.socket, owner);
    atEnd.push(socket.release);
    const label = basename(options.socket, ".sock");
    const place = placeOf(options, store);
    const memory = makeMemory(place, label, options.bytes, owner);
    store.keep(memory.fd);
    atEnd.push(memory.close);
    if (options.pidfile !== undefined) atEnd.push(writePidfile(options.pidfile));
    const { vectors } = options;
    const { given } = store;
    const region = { listener: socket.listener, memoryFd: memory.fd, vectors, given };
    const server = new IvshmemServer(region, log, { firstId: options.firstId ?? store.firstId });
    atEnd.push(() => server.close());
    const left = options.untilUnused ? untilUnused(options, memory.fd, atEnd) : undefined;
    ready(describe(options, memory));
    manager.tell(["READY=1", `STATUS=${describe(options, memory)}`]);
    await server.serve(signal, left);
    manager.tell(["STOPPING=1"]);
    log.event(`ends: ${summary(server)}`);
  } finally {
    endAll(atEnd);
  }
}

/** Where the memory is: with the service manager, if a server before us has left it there. */
function placeOf({ memory }: ServerOptions, { memoryFd }: ServiceStore): MemoryPlace {
  return memoryFd === undefined ? memory : { kind: "inherited", fd: memoryFd };
}

/** What tells a server how long it is needed. */
function untilUnused(
  { memory: { kind } }: ServerOptions,
  memoryFd: number,
  atEnd: (() => void)[],
): UnusedWatch["left"] {
  const users = new MemoryUsers(memoryFd);
  atEnd.push(() => users.close());
  const isMapped = () => users.areThere;
  const wasUsed = kind === "inherited";
  const watch = new UnusedWatch(memoryFd, performance.now(), UNUSED_MS, isMapped, wasUsed);
  return watch.left.bind(watch);
}

function describe({ socket, vectors }: ServerOptions, { bytes, place }: ServedMemory): string {
  const size = bytes < 2 ** 20 ? `${bytes / 1024} KiB` : `${bytes / 2 ** 20} MiB`;
  return `${socket} is ready: ${size}, ${place}, ${vectors} vector${vectors === 1 ? "" : "s"}`;
}

function summary({ counts }: IvshmemServer): string {
  const { joined, left, refused, stalled, talked, bytes, descriptors } = counts;
  return `${joined} joined, ${left} left (${stalled} stalled, ${talked} talked: ${bytes} bytes, ` +
    `${descriptors} with descriptors), ${refused} refused`;
}

/** Close the parts in this order. The path goes first, so that nobody finds a server that ends. */
function endAll(ends: readonly (() => void)[]): void {
  let failure: unknown;
  for (const end of ends) {
    try {
      end();
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
}
