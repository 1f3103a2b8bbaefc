/**
 * An app for a VM: plays a hostile guest in each place of its region at once, until the VM ends. The last
 * two arguments are the number of places and the seed.
 *
 * Says ready, and begins at once: nobody else has to find his way about in its region.
 *
 * @module
 */
import { REGISTER } from "../../app/guest/interrupts.ts";
import { openInterrupts } from "../../app/guest/vfio.ts";
import { HEADER } from "../../app/memory/layout.ts";
import { findIvshmem, mapMemory, mapRegisters } from "../../app/linux/pci.ts";
import { Region } from "../../app/memory/region.ts";
import { Random } from "../kit/random.ts";
import { Besieger } from "./besieger.ts";

/** Peers and vectors that are rung: the host, whose id is known, ourselves, and such as there are none. */
const VECTORS = [0, 1, 2, 3, 4, 0xffff], NOBODY = 0xffff;

const [guests, seed] = Deno.args.slice(-2).map(Number);
const device = findIvshmem("auto")!;
openInterrupts(device.address); // or the device is not let do anything
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
const besiegers = Array.from({ length: guests }, (_, own) => {
  const random = new Random(seed * 2 + own);
  return new Besieger(memory, region, guests, own, random, bells, Infinity);
});
console.log("besieger is ready");

/**
 * Milliseconds between two beats of the heart, between two changes of temper (to be let in anew takes
 * some 200, however many steps an emulated processor does meanwhile), and between two lines that tell how
 * far it is.
 */
const BEAT_MS = 10, TEMPER_MS = 600, TELL_MS = 1000;
for (let steps = 0, beaten = 0, turned = 0, told = 0;; steps++) {
  for (const besieger of besiegers) besieger.step();
  const now = performance.now();
  if (now - beaten < BEAT_MS) continue;
  beaten = now;
  for (const besieger of besiegers) besieger.stay();
  if (now - turned >= TEMPER_MS) {
    turned = now;
    for (const besieger of besiegers) besieger.turn();
  }
  if (now - told < TELL_MS) continue;
  told = now;
  console.log(`besieger has done ${steps} deeds in each place`);
}
