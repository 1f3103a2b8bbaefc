/**
 * One end of the ring benchmark in a process of its own: orders by standard input, one a line.
 *
 * @module
 */
import { check } from "../ffi/error.ts";
import { MappedMemory } from "../ffi/mapped_memory.ts";
import { cString, shim } from "../ffi/shim.ts";
import { carryOut } from "./ring_loops.ts";
import type { RingOrder } from "./ring_order.ts";

const [file] = Deno.args;
const READ_WRITE = 1;
const fd = check(shim.shim_file_open(cString(file), READ_WRITE), `open ${file}`);
const memory = MappedMemory.ofFile(fd, Deno.statSync(file).size, file);

let rest = "";
for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + text).split("\n");
  rest = lines.pop()!;
  for (const line of lines) console.log(carryOut(memory, JSON.parse(line) as RingOrder));
}
