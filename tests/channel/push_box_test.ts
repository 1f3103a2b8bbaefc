import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { isWhole, PushBox } from "../../app/channel/push_box.ts";
import { PUSH, PUSH_STATE, ZONE_KIND } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";

/** The box of a region, as who pushes has it and as a guest has it. */
class Boxes implements Disposable {
  readonly memory = freshMemory(1 << 20);
  readonly region = Region.build(this.memory, "r0");
  readonly pusher: PushBox;
  readonly guest: PushBox;
  readonly word: number;

  constructor() {
    PushBox.add(this.region);
    this.pusher = PushBox.find(this.region);
    this.guest = PushBox.find(this.region);
    this.word = this.region.zone("push", ZONE_KIND.PUSH).offset / 4;
  }

  [Symbol.dispose](): void {
    this.memory.close();
  }
}

const text = (length: number) => Uint8Array.from({ length }, (_, i) => i * 7);

Deno.test("PushBox carries a text to one guest, once, and its answer back", async () => {
  using boxes = new Boxes();
  const { pusher, guest } = boxes;
  equal(guest.take(3, 0), undefined);
  const sequence = await pusher.push(3, text(1000));
  equal(guest.take(2, 0), undefined, "it is for another guest");
  equal(guest.take(3, sequence), undefined, "it was taken before");
  const taken = guest.take(3, 0)!;
  equal(taken.sequence, sequence);
  deepEqual(taken.bytes, text(1000));
  equal(await isWhole(taken), true);

  equal(pusher.answerTo(sequence), undefined);
  guest.see(sequence);
  equal(pusher.answerTo(sequence)?.state, PUSH_STATE.SEEN);
  guest.answer(sequence, { state: PUSH_STATE.REFUSED, text: "größe" });
  deepEqual(pusher.answerTo(sequence), { state: PUSH_STATE.REFUSED, text: "größe" });
});

Deno.test("PushBox.push() may be called again and again, and refuses what does not fit", async () => {
  using boxes = new Boxes();
  const { pusher, guest } = boxes;
  let last = 0;
  for (const length of [5, 0, pusher.capacity]) {
    const sequence = await pusher.push(0, text(length));
    const taken = guest.take(0, last)!;
    equal(taken.bytes!.length, length);
    equal(await isWhole(taken), true);
    last = sequence;
  }
  const { capacity } = pusher;
  await rejects(pusher.push(0, text(capacity + 1)), {
    message:
      `Cannot push ${capacity + 1} bytes as ${capacity} fit into this region: import less, ` +
      "or give the host a larger --size",
  });
});

Deno.test("PushBox.takeBack() takes back what no guest has seen", async () => {
  using boxes = new Boxes();
  const { pusher, guest } = boxes;
  const first = await pusher.push(0, text(5));
  equal(pusher.takeBack(first), true);
  equal(guest.take(0, 0), undefined);
  const second = await pusher.push(0, text(5));
  guest.see(second);
  equal(pusher.takeBack(second), false);
});

Deno.test("PushBox.push() of two at the same time leaves one of them, or what its guest refuses", async () => {
  using boxes = new Boxes();
  const other = PushBox.find(boxes.region);
  const sequences = await Promise.all([boxes.pusher.push(0, text(9)), other.push(0, text(7))]);
  equal(new Set(sequences).size, 2);
  const taken = boxes.guest.take(0, 0)!;
  equal(sequences.includes(taken.sequence), true);
});

Deno.test("PushBox.take() believes no length, and isWhole() no hash", async () => {
  using boxes = new Boxes();
  const { pusher, guest, memory: { u32 }, word } = boxes;
  await pusher.push(0, text(100));
  for (const length of [pusher.capacity + 1, 0x80000000, 0xffffffff]) {
    u32[word + PUSH.LENGTH] = length;
    const taken = guest.take(0, 0)!;
    equal(taken.bytes, undefined);
    equal(await isWhole(taken), false);
  }
  u32[word + PUSH.LENGTH] = 100;
  equal(await isWhole(guest.take(0, 0)!), true);
  for (const spoiled of [PUSH.HASH, PUSH.HASH + 7, PUSH.TEXT + 3]) {
    u32[word + spoiled] ^= 1 << 9;
    equal(await isWhole(guest.take(0, 0)!), false);
    u32[word + spoiled] ^= 1 << 9;
  }
});

Deno.test("PushBox.answer() of a push says nothing once a later one has been seen", async () => {
  using boxes = new Boxes();
  const { pusher, guest } = boxes;
  const first = await pusher.push(0, text(5));
  guest.see(first);
  const second = await pusher.push(0, text(5));
  guest.see(second);
  guest.answer(first, { state: PUSH_STATE.DONE, text: "the first" });
  equal(pusher.answerTo(second)!.state, PUSH_STATE.SEEN);
  equal(pusher.answerTo(first), undefined);
  guest.answer(second, { state: PUSH_STATE.REFUSED, text: "the second" });
  deepEqual(pusher.answerTo(second), { state: PUSH_STATE.REFUSED, text: "the second" });
});

Deno.test("PushBox.answerTo() believes no length", async () => {
  using boxes = new Boxes();
  const { pusher, guest, memory: { u32 }, word } = boxes;
  const sequence = await pusher.push(0, text(100));
  guest.see(sequence);
  guest.answer(sequence, { state: 77, text: "x".repeat(5000) });
  equal(pusher.answerTo(sequence)!.text, "x".repeat(1024));
  u32[word + PUSH.ANSWER_LENGTH] = 0xffffffff;
  deepEqual(pusher.answerTo(sequence), { state: 77, text: "x".repeat(1024) });
});

Deno.test("PushBox.answerTo() gives nothing that would act on a terminal", async () => {
  using boxes = new Boxes();
  const { pusher, guest } = boxes;
  const sequence = await pusher.push(0, text(100));
  guest.see(sequence);
  guest.answer(sequence, { state: PUSH_STATE.DONE, text: "\x1b[2J\x1b]0;größe\x07\r\u202e" });
  equal(pusher.answerTo(sequence)!.text, "?[2J?]0;größe???");
});

Deno.test("PushBox.find() says that a region has none", () => {
  using memory = freshMemory(1 << 20);
  const region = Region.build(memory, "r0");
  throws(() => PushBox.find(region), { message: /^Cannot find memzone push in region r0 as/ });
});
