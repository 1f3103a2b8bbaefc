import { check } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";

/** File descriptors of one test: `using files = new OpenFiles()` closes them at its end. */
export class OpenFiles implements Disposable {
  readonly #fds: number[] = [];

  /** Pass on a file descriptor that a shim call returned, to be closed later. */
  add(fd: number): number {
    this.#fds.push(check(fd, "open a file for a test"));
    return fd;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#fds) shim.shim_fd_close(fd);
  }
}
