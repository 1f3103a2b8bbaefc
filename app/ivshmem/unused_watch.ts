import { check } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { HEADER, MAGIC, REGION_STATE } from "../memory/layout.ts";

const READ_ONLY_FOLLOWING = 3;

/** Milliseconds that a region is kept for a host that died in it. */
export const UNUSED_MS = 60_000;

/** Milliseconds between two looks whether memory that nobody else needs is still mapped. */
const LOOK_MS = 1000;

/**
 * Tells when a server that was started for one region has nothing to keep any more. As long as a
 * peer is connected, or a VM has the memory mapped, it keeps the region. Then it ends: at once if
 * the last host has closed the region, or none ever began it; after a while if a host died in it,
 * so that the next host can go on with it.
 */
export class UnusedWatch {
  #wasUsed: boolean;
  #usedAt: number;

  /**
   * Nobody has used it yet.
   *
   * @param memoryFd The region's memory.
   * @param now A clock in milliseconds.
   * @param patience Milliseconds to wait for the next host.
   * @param isMapped Returns whether a program that is no peer has the memory mapped.
   * @param wasUsed Whether another server has served it before.
   */
  constructor(
    private readonly memoryFd: number,
    now: number,
    private readonly patience: number,
    private readonly isMapped: () => boolean,
    wasUsed = false,
  ) {
    this.#wasUsed = wasUsed;
    this.#usedAt = now;
  }

  /** Milliseconds that are left to a region with that many members; 0: it may go. */
  left(members: number, now: number): number {
    if (members > 0) {
      this.#wasUsed = true;
      this.#usedAt = now;
      return Infinity;
    }
    const isDone = this.#wasUsed && isAtRest(this.memoryFd);
    const left = isDone ? 0 : Math.max(this.#usedAt + this.patience - now, 0);
    return left === 0 && this.isMapped() ? LOOK_MS : left;
  }
}

/** Whether a region was never begun, or its host has closed it: no host is there, none has died. */
export function isAtRest(memoryFd: number): boolean {
  const words = readHeader(memoryFd);
  if (words[HEADER.MAGIC_0] === 0 && words[HEADER.STATE] === REGION_STATE.EMPTY) return true;
  return words[HEADER.MAGIC_0] === MAGIC[0] && words[HEADER.STATE] === REGION_STATE.CLOSED;
}

/** The first words. Read, not mapped: a file that was cut short must not end the server. */
function readHeader(memoryFd: number): Uint32Array {
  const path = `/proc/self/fd/${memoryFd}`;
  const fd = check(
    shim.shim_file_open(cString(path), READ_ONLY_FOLLOWING),
    "open the region again",
  );
  const words = new Uint32Array(16);
  const result = shim.shim_file_read(fd, new Uint8Array(words.buffer), words.byteLength);
  shim.shim_fd_close(fd);
  check(result, "read the region's header");
  return words;
}
