import { deepEqual, doesNotMatch, equal } from "node:assert/strict";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { decodeRegion, withLives } from "../../app/inspect/decode.ts";
import { reportText } from "../../app/inspect/report_text.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { Random } from "../kit/random.ts";
import { SampleRegion } from "./sample_region.ts";

/** Spoiled regions that each test looks at. */
const ROUNDS = 300;

/** Decode and print whatever it is: nothing throws, writes, or harms a terminal. */
function look(memory: MappedMemory, hint: string): void {
  const before = memory.u8.slice(0, 16384);
  const report = withLives(decodeRegion(memory), decodeRegion(memory));
  deepEqual(JSON.parse(JSON.stringify(report)), report, hint);
  // deno-lint-ignore no-control-regex
  doesNotMatch(reportText("fuzz", report), /[\x00-\x09\x0b-\x1f\x7f-\x9f]|NaN|undefined/, hint);
  equal(report.zones.length <= 256, true, hint);
  for (const { used, slots } of report.rings) equal(used <= slots, true, hint);
  deepEqual(memory.u8.slice(0, 16384), before, hint);
}

Deno.test("decodeRegion() and reportText() survive random bytes", () => {
  using memory = freshMemory(1 << 20);
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = new Random(seed);
    for (let word = 0; word < 8192; word++) memory.u32[word] = random.below(2 ** 32);
    look(memory, `seed ${seed}`);
  }
});

Deno.test("decodeRegion() and reportText() survive random bytes behind a sound header", () => {
  using sample = new SampleRegion();
  const header = sample.memory.u8.slice(0, 64);
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = new Random(seed);
    const limit = [2 ** 32, 2 ** 20, 256][seed % 3];
    for (let word = 0; word < 8192; word++) sample.memory.u32[word] = random.below(limit);
    sample.memory.u8.set(header);
    look(sample.memory, `seed ${seed}`);
  }
});

Deno.test("decodeRegion() and reportText() survive a region in which some words are others", () => {
  using sample = new SampleRegion();
  const sound = sample.memory.u32.slice(0, 32768);
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = new Random(seed);
    sample.memory.u32.set(sound);
    for (let n = random.below(8); n >= 0; n--) {
      const from = [0, 1024, 4096][random.below(3)];
      const word = from + random.below([16, 128, 8192][random.below(3)]);
      const old = sample.memory.u32[word];
      sample.memory.u32[word] = [
        random.below(2 ** 32),
        old ^ (1 << random.below(32)),
        0,
        0xffffffff,
      ][random.below(4)];
    }
    look(sample.memory, `seed ${seed}`);
  }
});

Deno.test("decodeRegion() and reportText() survive regions cut off anywhere", () => {
  using sample = new SampleRegion();
  for (let pages = 1; pages <= 64; pages++) {
    using memory = freshMemory(pages * 4096);
    memory.u8.set(sample.memory.u8.subarray(0, memory.bytes));
    look(memory, `${pages} pages`);
  }
});
