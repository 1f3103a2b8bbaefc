/**
 * Sends frames of one length on an interface as fast as it can, until it is ended:
 * `wire_generator.ts INTERFACE BYTES CORE`, run in the interface's network namespace.
 *
 * @module
 */
import { check } from "../ffi/error.ts";
import { MappedMemory } from "../ffi/mapped_memory.ts";
import { shim } from "../ffi/shim.ts";
import { dataWord, Mbufs } from "../app/mempool/mbuf.ts";
import { openPackets } from "../app/port/packet_port.ts";
import { Burst } from "../app/ring/burst.ts";
import { wireFrame } from "./wire_frame.ts";

const BURST = 64;

const [name, bytes, core] = Deno.args;
const [{ txFd }] = openPackets(name);
const memory = MappedMemory.ofProcess(BURST * 2048);
const mbufs = new Mbufs(memory, { offset: 0, stride: 2048, count: BURST });
const burst = Burst.of(BURST);
for (let i = 0; i < BURST; i++) {
  burst.words[i << 1] = i;
  burst.words[(i << 1) + 1] = dataWord(0, Number(bytes));
  mbufs.u8.set(wireFrame(i, Number(bytes)), i * 2048);
}
check(shim.shim_thread_pin(Number(core)), `pin to core ${core}`);
for (;;) shim.shim_packet_tx(txFd, mbufs.map, burst.map, burst.word, BURST, -1);
