import { deepEqual, equal } from "node:assert/strict";
import { Doorbell, SleepFlag } from "../../app/channel/sleep_flag.ts";
import { SLEEP } from "../../app/memory/layout.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";

const WORD = 32;

Deno.test("Doorbell.notify() wakes who sleeps, once a sleep, at the vector that it named", () => {
  using memory = freshMemory(4096);
  const flag = new SleepFlag(memory, WORD, 3);
  const woken: number[] = [];
  const bell = new Doorbell(memory, WORD, (vector) => woken.push(vector) > 0);
  bell.notify();
  deepEqual(woken, [], "it is awake");
  flag.raise();
  bell.notify();
  bell.notify();
  deepEqual(woken, [3]);
  flag.lower();
  bell.notify();
  flag.raise();
  equal(bell.notify(), true);
  equal(bell.notify(), false);
  deepEqual(woken, [3, 3]);
});

Deno.test("Doorbell.notify() says no where nothing wakes the sleeper", () => {
  using memory = freshMemory(4096);
  new SleepFlag(memory, WORD, undefined).raise();
  const bell = new Doorbell(memory, WORD, () => true);
  equal(bell.notify(), false);
  new SleepFlag(memory, WORD, 7).raise();
  const refused = new Doorbell(memory, WORD, () => false);
  equal(refused.notify(), false);
});

Deno.test("A SleepFlag begins awake, whatever the one before left there, and with another number", () => {
  using memory = freshMemory(4096);
  const bell = new Doorbell(memory, WORD, () => true);
  for (const left of [0, 1, 4, 0xffffffff]) {
    memory.store(WORD + SLEEP.COUNT, left);
    const flag = new SleepFlag(memory, WORD, 0);
    equal(memory.load(WORD) & 1, 0);
    flag.raise();
    equal(memory.load(WORD) & 1, 1);
    equal(bell.notify(), true);
  }
});

Deno.test("A SleepFlag counts on through 2^32", () => {
  using memory = freshMemory(4096);
  memory.store(WORD, 0xfffffffc);
  const flag = new SleepFlag(memory, WORD, 0);
  const seen = [];
  for (let i = 0; i < 3; i++) {
    flag.raise();
    seen.push(memory.load(WORD));
    flag.lower();
    seen.push(memory.load(WORD));
  }
  deepEqual(seen, [0xfffffffd, 0xfffffffe, 0xffffffff, 0, 1, 2]);
});
