/**
 * A process that rings a host's doorbells as fast as it can, for nothing: `ringer_process.ts REGION SECONDS`. Says
 * how often.
 *
 * @module
 */
import { shim } from "../../ffi/shim.ts";
import { openRegion } from "../../app/ivshmem/region_source.ts";
import { HEADER } from "../../app/memory/layout.ts";

const [name, seconds] = Deno.args;
const { memory, peer } = openRegion(name)!;
const events = peer!.poll();
if (events.some(({ kind }) => kind === "server-gone")) throw new Error("no server");
const host = peer!.others.get(memory.load(HEADER.HOST_PEER) - 1)!;
let rung = 0;
for (const end = performance.now() + Number(seconds) * 1000; performance.now() < end;) {
  for (let i = 0; i < 1000; i++, rung++) for (const fd of host) shim.shim_eventfd_signal(fd);
  peer!.poll();
}
console.log(rung);
