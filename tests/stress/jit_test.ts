import { equal, ok } from "node:assert/strict";
import { SpscRing } from "../../app/ring/spsc_ring.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { runWorkers, type StartLine } from "../ffi/run_workers.ts";
import {
  BURST,
  type Disorder,
  type JitAnswer,
  type JitOrder,
  type Look,
  RING_SIZE,
  WORD,
} from "./jit_worker.ts";
import { burstOf } from "../kit/burst_of.ts";
import { pause } from "../kit/wait.ts";

// V8 optimizes a loop while it runs, after some thousand turns. It may then move a plain load out
// of the loop, and plain accesses past each other, but none past a call whose effects it does not
// know.

const url = new URL("./jit_worker.ts", import.meta.url);

/** So many turns are optimized code's: V8 interprets the first thousands only. */
const HOT = 1_000_000;

/** How long the reader spins before the word changes, in milliseconds. */
const SPIN_MS = 400;

/** Let a reader spin, change what it looks at, and tell what it saw. */
async function spin(look: Look): Promise<JitAnswer> {
  using memory = freshMemory(2 * 4096);
  const start: StartLine = new Int32Array(new SharedArrayBuffer(4));
  const order: JitOrder = { role: "spin", look, memory: memory.handle, start, seconds: 0 };
  const answers = runWorkers<JitOrder, JitAnswer>(url, [order]);
  while (Atomics.load(start, 0) === 0) await pause(1);
  Atomics.add(start, 0, 1);
  Atomics.notify(start, 0);
  await pause(SPIN_MS);
  memory.store(WORD.FLAG, 1);
  new SpscRing(memory, WORD.RING_BYTES, RING_SIZE).enqueueBulk(
    burstOf(new Uint32Array(2 * BURST).fill(1)),
    BURST,
  );
  const [answer] = await answers;
  return answer;
}

const WAYS: readonly [look: Look, name: string][] = [
  ["load", "MappedMemory.load()"],
  ["fenced load", "shim_fenced_load()"],
  ["ring", "SpscRing.dequeueBurst()"],
  ["burst", "what SpscRing.dequeueBurst() leaves in a burst"],
  ["count", "SpscRing.count"],
];

for (const [look, name] of WAYS) {
  Deno.test(`a reader that spins on ${name} sees a write after its loop was optimized`, async () => {
    const { seen, turns } = await spin(look);
    equal(seen, 1);
    ok(turns > HOT, `only ${turns} turns: perhaps its loop was not optimized`);
  });
}

Deno.test("a reader that spins on a plain load may see the write or not: this only reports it", async () => {
  const { seen, turns } = await spin("plain load");
  console.log(`it ${seen ? "saw" : "never saw"} the write, in ${turns} turns`);
});

/** Run two roles against each other for a while. */
async function pass(
  roles: readonly ["write", "read" | "twins"] | readonly ["ask", "answer"] | readonly ["exchange"],
  disorder: Disorder,
  seconds: number,
): Promise<readonly JitAnswer[]> {
  using memory: MappedMemory & Disposable = freshMemory(2 * 4096);
  const start: StartLine = new Int32Array(new SharedArrayBuffer(4));
  const common = { memory: memory.handle, start, seconds, disorder };
  const orders = roles.map((role): JitOrder => ({ ...common, role }));
  return await runWorkers<JitOrder, JitAnswer>(url, orders);
}

const SECONDS = 1, SEEN_MIN = 10_000;

Deno.test("plain stores before a release store, and loads after an acquire load, stay there", async () => {
  const [writer, reader] = await pass(["write", "read"], "none", SECONDS);
  equal(reader.wrong, 0, `${reader.wrong} data of ${reader.turns} were older than their flag`);
  ok(writer.turns > HOT && reader.turns > HOT, `${writer.turns} written, ${reader.turns} read`);
  ok(reader.seen > SEEN_MIN, `only ${reader.seen} messages were seen`);
});

Deno.test("two plain loads of a word in a row may become one: this only reports it", async () => {
  const [, reader] = await pass(["write", "twins"], "none", SECONDS / 2);
  console.log(`they differed ${reader.wrong} times of ${reader.turns}, while the word was written`);
});

Deno.test("plain loads before a release store stay there", async () => {
  const [, reader] = await pass(["ask", "answer"], "none", SECONDS);
  equal(reader.wrong, 0, `${reader.wrong} messages of ${reader.turns} were mixed up`);
  ok(reader.turns > SEEN_MIN, `only ${reader.turns} messages`);
});

Deno.test("plain stores to a burst before the call that copies it, and loads after it, stay there", async () => {
  const [{ wrong, turns, seen }] = await pass(["exchange"], "none", SECONDS / 2);
  equal(wrong, 0, `${wrong} bursts of ${turns} were not what was stored`);
  equal(seen, turns, "each burst went through");
});

// These orders are written wrong. If that were not seen, nothing would follow from the tests above.

for (const disorder of ["flag first", "data first"] as const) {
  Deno.test(`the test above fails if a message is written with the ${disorder}`, async () => {
    const [, reader] = await pass(["write", "read"], disorder, SECONDS);
    ok(reader.wrong > 0, `it was not seen in ${reader.turns} turns`);
  });
}

Deno.test("the test above fails if a message is acknowledged before it is read", async () => {
  const [, reader] = await pass(["ask", "answer"], "acknowledge first", SECONDS);
  ok(reader.wrong > 0, `it was not seen in ${reader.turns} turns`);
});

for (const disorder of ["call before the stores", "loads before the call"] as const) {
  Deno.test(`the test above fails if a burst has its ${disorder}`, async () => {
    const [{ wrong, turns }] = await pass(["exchange"], disorder, SECONDS / 10);
    ok(wrong > 0, `it was not seen in ${turns} turns`);
  });
}
