/**
 * An app for a VM: it notifies a peer of its region once, and waits for a notification by each of
 * its own vectors. The last argument is the peer's id.
 *
 * @module
 */
import { REGISTER } from "../../app/guest/interrupts.ts";
import { openInterrupts } from "../../app/guest/vfio.ts";
import { ivshmemDevices, mapMemory, mapRegisters } from "../../app/linux/pci.ts";
import { shim } from "../../ffi/shim.ts";

const PATIENCE_MS = 120_000;
const GREETING_WORD = 1;

const [, option, guest] = Deno.args;
const peer = Number(Deno.args.at(-1));
const devices = ivshmemDevices();
const device = devices.find(({ hasInterrupts }) => hasInterrupts)!;
const { vectors } = openInterrupts(device.address);
const memory = mapMemory(device);
const registers = mapRegisters(device);
const id = registers.load(device.registersOffset / 4 + REGISTER.IV_POSITION);
const plain = devices.filter(({ hasInterrupts }) => !hasInterrupts).length;
const greeting = memory.load(GREETING_WORD).toString(16);
console.log(
  `${option} ${guest}: peer ${id}, ${vectors.length} vectors, ${plain} plain, ${greeting}`,
);

registers.store(device.registersOffset / 4 + REGISTER.DOORBELL, (peer << 16) >>> 0);
const rung = vectors.map(() => 0);
const deadline = performance.now() + PATIENCE_MS;
while (rung.includes(0) && performance.now() < deadline) {
  shim.shim_poll(Int32Array.from(vectors), vectors.length, 100_000);
  vectors.forEach((fd, vector) => rung[vector] += shim.shim_eventfd_drain(fd));
}
console.log(`rung ${rung.join(",")}`);
Deno.exit(rung.includes(0) ? 1 : 0);
