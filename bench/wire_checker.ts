/**
 * Compares frames that arrive at an interface with those that were sent:
 * `wire_checker.ts INTERFACE BYTES FRAMES`, run in the interface's network namespace. Says "ready",
 * then "whole" once so many frames have arrived with every byte right; a wrong one is its end.
 *
 * @module
 */
import { check } from "../ffi/error.ts";
import { cString, shim } from "../ffi/shim.ts";
import { isWireFrame, numberOf, wireFrame } from "./wire_frame.ts";

/** Bytes of the virtio_net_hdr in front of each frame. */
const VNET_BYTES = 10;
const EAGAIN = 11;

const [name, bytes, frames] = Deno.args;
const fd = check(shim.shim_packet_open(cString(name), 1 << 20), `open AF_PACKET on ${name}`);
const room = new Uint8Array(65536);
console.log("ready");
for (let whole = 0; whole < Number(frames);) {
  const read = shim.shim_file_read(fd, room, room.length);
  if (read === -EAGAIN) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    continue;
  }
  const frame = room.subarray(VNET_BYTES, check(read, `read from ${name}`));
  if (!isWireFrame(frame)) continue;
  const wanted = wireFrame(numberOf(frame), Number(bytes));
  if (frame.length !== wanted.length || !wanted.every((byte, at) => frame[at] === byte)) {
    console.log(`a frame of ${bytes} bytes arrived with ${frame.length} bytes, or other ones`);
    Deno.exit(1);
  }
  whole++;
}
console.log("whole");
Deno.exit(0);
