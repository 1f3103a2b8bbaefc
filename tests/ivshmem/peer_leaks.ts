import { deepEqual } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { fileTest } from "../ffi/folder.ts";

/**
 * The descriptors that are open, by asking for the lowest free ones: one that was leaked is
 * missing.
 */
function lowestFree(): number[] {
  const fds = Array.from({ length: 64 }, () => shim.shim_eventfd());
  for (const fd of fds) shim.shim_fd_close(fd);
  return fds;
}

/** A test of `Peer`, which must give back all descriptors. */
export function peerTest(name: string, fn: () => void): void {
  fileTest(`Peer ${name}`, () => {
    const before = lowestFree();
    fn();
    deepEqual(lowestFree(), before, "a descriptor is left open");
  });
}
