/**
 * A process that is a hostile guest until it is killed:
 *
 *     hostile_process.ts REGION GUESTS OWN SEED [lie]
 *
 * It says ready, and begins when a line comes in. With `lie` it writes to its own rings alone.
 *
 * @module
 */
import { Region } from "../../app/memory/region.ts";
import { openRegion } from "../../app/region/region_source.ts";
import { shim } from "../../ffi/shim.ts";
import { Random } from "../kit/random.ts";
import { HostileGuest } from "./hostile_guest.ts";

const [name, guests, own, seed, mode] = Deno.args;
const { memory, peer } = openRegion(name)!;
peer?.poll();
const eventfds = [...peer?.others.values() ?? []].flat();
const bells = eventfds.map((fd) => () => shim.shim_eventfd_signal(fd));
const random = new Random(Number(seed));
const region = Region.attach(memory, name);
const guest = new HostileGuest(memory, region, Number(guests), Number(own), random, bells);
if (mode === "lie") guest.onlyLies();
console.error("ready");
Deno.stdin.readSync(new Uint8Array(8)); // others have to read the directory first

/** Steps between two looks at the clock, and milliseconds between two heartbeats. */
const STEPS = 16, BEAT_MS = 10;
for (let beaten = 0;;) {
  for (let i = 0; i < STEPS; i++) guest.step();
  const now = performance.now();
  if (now - beaten < BEAT_MS) continue;
  beaten = now;
  guest.stay();
  peer?.poll(); // or the server takes us for a peer that hangs
}
