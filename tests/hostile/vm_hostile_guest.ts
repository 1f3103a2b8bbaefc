/**
 * An app for a VM: a hostile guest in each place of its region, until the VM ends. The last two
 * arguments are the number of places and the seed. It says ready, and begins at once.
 *
 * @module
 */
import { REGISTER } from "../../app/guest/interrupts.ts";
import { openInterrupts } from "../../app/guest/vfio.ts";
import { HEADER } from "../../app/memory/layout.ts";
import { findIvshmem, mapMemory, mapRegisters } from "../../app/linux/pci.ts";
import { Region } from "../../app/memory/region.ts";
import { Random } from "../kit/random.ts";
import { HostileGuest } from "./hostile_guest.ts";

/** Vectors that are notified, at the host, at ourselves and at a peer that does not exist. */
const VECTORS = [0, 1, 2, 3, 4, 0xffff], NOBODY = 0xffff;

const [guests, seed] = Deno.args.slice(-2).map(Number);
const device = findIvshmem("auto")!;
openInterrupts(device.address); // without this the device does nothing
const memory = mapMemory(device);
const registers = mapRegisters(device);
const register = (which: number) => device.registersOffset / 4 + which;
const ring = (peer: number, vector: number) =>
  registers.store(register(REGISTER.DOORBELL), (peer << 16 | vector) >>> 0);
const peers = [
  memory.load(HEADER.HOST_PEER) - 1,
  registers.load(register(REGISTER.IV_POSITION)),
  NOBODY,
];
const bells = peers.flatMap((peer) => VECTORS.map((vector) => () => ring(peer, vector)));
const region = Region.attach(memory, "ours");
const hostile = Array.from({ length: guests }, (_, own) => {
  const random = new Random(seed * 2 + own);
  return new HostileGuest(memory, region, guests, own, random, bells, Infinity);
});
console.log("hostile guest is ready");

/**
 * Milliseconds between two heartbeats, between two changes of strategy, and between two lines that
 * tell how many actions were taken. To attach again takes some 200 ms.
 */
const BEAT_MS = 10, STRATEGY_MS = 600, TELL_MS = 1000;
for (let steps = 0, beaten = 0, changed = 0, told = 0;; steps++) {
  for (const guest of hostile) guest.step();
  const now = performance.now();
  if (now - beaten < BEAT_MS) continue;
  beaten = now;
  for (const guest of hostile) guest.stay();
  if (now - changed >= STRATEGY_MS) {
    changed = now;
    for (const guest of hostile) guest.changeStrategy();
  }
  if (now - told < TELL_MS) continue;
  told = now;
  console.log(`hostile guest has taken ${steps} actions in each place`);
}
