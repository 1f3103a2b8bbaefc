/**
 * The keeper: a small process beside ours with the privileges that we give up. It uses them for the
 * interfaces, files and servers that we name before we drop ours, and for nothing else
 * (`shim/keeper.c`). A process has one keeper at most.
 *
 * @module
 */
import { check, CulvertError } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";

/** What a keeper can be asked to do. */
export interface Duties {
  /** Interfaces that are opened again if they vanish and come back, and set down in the end. */
  readonly interfaces?: readonly string[];
  /** Sockets and files to be removed in the end. */
  readonly files?: readonly string[];
  /**
   * By the path of its socket, a server that may have to be started: its working folder, and the
   * words of its command line.
   */
  readonly servers?: ReadonlyMap<string, readonly string[]>;
}

/**
 * The descriptors on which a server that is being started is heard. They do not block, and are the
 * caller's to close.
 */
export interface ServerEnds {
  /** The socket on which it sends one number: see `app/ivshmem/server_report.ts`. */
  readonly report: number;
  /** Its stderr. */
  readonly said: number;
}

/** Memory that a server is to hand out, and how. */
export interface GivenMemory {
  /** The memory. */
  readonly fd: number;
  /** Interrupt vectors of each peer. */
  readonly vectors: number;
  /** The first peer id that is given. */
  readonly firstId: number;
}

const interfaces = new Set<string>();
const files = new Set<string>();
const servers = new Map<string, readonly string[]>();
let isLost = false;

/**
 * Give the keeper these duties too. It is started again, with all its duties, which is possible
 * until privileges are dropped.
 *
 * @throws {ShimError} if it cannot be started.
 */
export function entrust(duties: Duties): void {
  duties.interfaces?.forEach((name) => interfaces.add(name));
  duties.files?.forEach((path) => files.add(path));
  duties.servers?.forEach((words, socket) => servers.set(socket, words));
  for (const words of servers.values()) {
    if (words.includes("")) {
      throw new CulvertError(
        "Cannot start a server as a word of its command line is empty: name it",
      );
    }
  }
  const lists = [...servers].map(([socket, words]) => [socket, ...words, ""]).flat();
  const names = cString([...interfaces, "", ...files, "", ...lists, ""].join("\0"));
  shim.shim_keeper_stop();
  check(shim.shim_keeper_start(names, names.length), "start the keeper");
  isLost = false;
}

/** Take the duty to start a server from the keeper, which ends if that was its last one. */
export function releaseServer(socket: string): void {
  servers.delete(socket);
  if (interfaces.size + files.size + servers.size === 0) shim.shim_keeper_stop();
}

/**
 * Have the keeper start the server of a socket, as it was entrusted.
 *
 * @param memory What it is to serve; if left out, it makes some.
 * @throws {ShimError} if the keeper does not do it: it has ended, or hangs.
 */
export function serve(socket: string, memory?: GivenMemory): ServerEnds {
  const ends = new Int32Array(2);
  const { fd = -1, firstId = 0, vectors = 0 } = memory ?? {};
  const result = shim.shim_keeper_serve(cString(socket), fd, firstId, vectors, ends);
  check(result, `have the keeper start the server of ${socket}`);
  return { report: ends[0], said: ends[1] };
}

/** Whether the keeper has ended by itself. */
export function hasLostKeeper(): boolean {
  isLost ||= shim.shim_keeper_has_ended() === 1; // which tells it once
  return isLost;
}

/** Let the keeper end, if there is one. */
export function endDuties(): void {
  for (const duty of [interfaces, files, servers]) duty.clear();
  shim.shim_keeper_stop();
}
