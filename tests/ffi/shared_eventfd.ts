import { check } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { freshMemory } from "./fresh_memory.ts";

/** FIONBIO of asm-generic/ioctls.h: for all who were handed the open file. */
const FIONBIO = 0x5421;

/** Let reads and writes of an eventfd wait, or not: any peer may, as O_NONBLOCK is the file's. */
export function setWaits(fd: number, waits: boolean): void {
  const argument = new Uint8Array(Int32Array.of(waits ? 0 : 1).buffer);
  check(shim.shim_ioctl(fd, FIONBIO, argument, 0), "set what an eventfd does");
}

/** Fill an eventfd, up to 2^64 - 2: the next write waits until somebody has read it. */
export function fill(fd: number): void {
  using memory = freshMemory(4096);
  check(shim.shim_map_cells(memory.map, 0n, 64, 1), "describe mbufs");
  memory.u32.set([0xfffffffe, 0xffffffff]);
  setWaits(fd, false);
  shim.shim_eventfd_drain(fd);
  memory.u32.set([0, 8 << 16], 16); // a descriptor
  shim.shim_tap_tx(fd, memory.map, memory.map, 16, 1, -1); // a frame of those 8 bytes
}
