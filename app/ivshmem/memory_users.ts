import { check } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";

const READ_WRITE_FOLLOWING = 5;

/**
 * Tells whether anybody but this server has its memory open, or mapped: a VM that got it as
 * `mem-path=/proc/PID/fd/N`, or from another server of the same memory, is no peer of this one.
 *
 * The kernel knows how often a file was opened to write. So what the server hands out, and what it
 * asks by, were opened one by one.
 */
export class MemoryUsers {
  readonly #own: number;

  /**
   * Of the memory that is open as `memoryFd`: that number stays, what it names is opened again.
   *
   * @throws {ShimError} if it may not be opened again.
   */
  constructor(private readonly memoryFd: number) {
    this.#own = openAgain(memoryFd);
    this.#openToHandOut();
  }

  /** Whether somebody has it. Those who have it as `memoryFd`, as peers do, count. */
  get areThere(): boolean {
    // Ours is given up first, or it would be one of two.
    check(shim.shim_fd_copy(this.#own, this.memoryFd), "give up the memory");
    const isAlone = shim.shim_file_is_alone(this.#own);
    this.#openToHandOut();
    return isAlone === 0;
  }

  /** Close what it asks by. */
  close(): void {
    shim.shim_fd_close(this.#own);
  }

  #openToHandOut(): void {
    const fd = openAgain(this.#own);
    const result = shim.shim_fd_copy(fd, this.memoryFd);
    shim.shim_fd_close(fd);
    check(result, "open the memory again");
  }
}

function openAgain(fd: number): number {
  const path = cString(`/proc/self/fd/${fd}`);
  return check(shim.shim_file_open(path, READ_WRITE_FOLLOWING), "open the memory again");
}
