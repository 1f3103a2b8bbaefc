import { check } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";

/** `shim_file_open`, with links followed, as those in /proc are. */
const READ_ONLY_FOLLOWING = 3, READ_WRITE_FOLLOWING = 5;

/**
 * Tells whether anybody but this server has its memory open to write, or mapped so: a VM that got
 * it as `mem-path=/proc/PID/fd/N`, or from another server of the same memory, is no peer of this
 * one. A program that only reads, as `culvert top` does, does not keep a region alive.
 *
 * The kernel counts how often a file is open for writing. So the descriptor that the server hands
 * out is one that it has opened again, and the one with which it asks is open for reading alone.
 */
export class MemoryUsers {
  readonly #own: number;

  /**
   * For the memory that is open as `memoryFd`: the descriptor keeps its number, and the memory is
   * opened again behind it.
   *
   * @throws {ShimError} if it may not be opened again.
   */
  constructor(private readonly memoryFd: number) {
    this.#own = openAgain(memoryFd, READ_ONLY_FOLLOWING);
    this.#openToHandOut();
  }

  /** Whether anybody else has the memory open or mapped, peers that were handed `memoryFd` too. */
  get areThere(): boolean {
    // Our own descriptor for writing is closed first, or it would count.
    check(shim.shim_fd_copy(this.#own, this.memoryFd), "give up the memory");
    const isAlone = shim.shim_file_is_alone(this.#own);
    this.#openToHandOut();
    return isAlone === 0;
  }

  /** Close the descriptor with which it asks. */
  close(): void {
    shim.shim_fd_close(this.#own);
  }

  #openToHandOut(): void {
    const fd = openAgain(this.#own, READ_WRITE_FOLLOWING);
    const result = shim.shim_fd_copy(fd, this.memoryFd);
    shim.shim_fd_close(fd);
    check(result, "open the memory again");
  }
}

function openAgain(fd: number, access: number): number {
  const path = cString(`/proc/self/fd/${fd}`);
  return check(shim.shim_file_open(path, access), "open the memory again");
}
