/**
 * A process that plays a hostile guest until it is killed:
 *
 *     besieger_process.ts REGION GUESTS OWN SEED [--mode lie|decoy]
 *
 * Says ready, and begins when a line comes in. `lie`: it spoils no memory but its own rings. `decoy`: it does
 * that, too, but to a copy of the region that nobody else has.
 *
 * @module
 */
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { openRegion } from "../../app/region/region_source.ts";
import { Region } from "../../app/memory/region.ts";
import { Random } from "../kit/random.ts";
import { Besieger } from "./besieger.ts";

const [name, guests, own, seed, , mode] = Deno.args;
const { memory: shared, peer } = openRegion(name)!;
const isDecoy = mode === "decoy";
const memory = isDecoy ? MappedMemory.ofProcess(shared.bytes) : shared;
if (isDecoy) memory.u8.set(shared.u8);
peer?.poll();
const eventfds = isDecoy ? [] : [...peer?.others.values() ?? []].flat();
const bells = eventfds.map((fd) => () => shim.shim_eventfd_signal(fd));
const random = new Random(Number(seed));
const region = Region.attach(memory, name);
const besieger = new Besieger(memory, region, Number(guests), Number(own), random, bells);
if (mode !== undefined) besieger.onlyLies();
console.error("ready");
Deno.stdin.readSync(new Uint8Array(8)); // the others have to find their way about first

/** Steps between two looks at the clock, and milliseconds between two beats of the heart. */
const STEPS = 16, BEAT_MS = 10;
for (let beaten = 0;;) {
  for (let i = 0; i < STEPS; i++) besieger.step();
  const now = performance.now();
  if (now - beaten < BEAT_MS) continue;
  beaten = now;
  besieger.stay();
  peer?.poll(); // or the server takes us for one that hangs
}
