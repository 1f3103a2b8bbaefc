import { equal, ok } from "node:assert/strict";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { newBurst, placeOf } from "../../app/ring/burst.ts";
import { MpmcRing } from "../../app/ring/mpmc_ring.ts";
import { SpscRing } from "../../app/ring/spsc_ring.ts";

Deno.test("newBurst() gives arrays that share no word", () => {
  const lengths = [1, 64, 16, 15, 2 ** 16, 17, 2 ** 16 + 5, 64];
  const bursts = lengths.map((length) => newBurst(length));
  bursts.forEach((burst, i) => burst.fill(i + 1));
  bursts.forEach((burst, i) => {
    equal(burst.length, lengths[i]);
    ok(burst.every((word) => word === i + 1));
  });
});

Deno.test("placeOf() knows the arrays of newBurst() alone", () => {
  const burst = newBurst(4);
  ok(placeOf(burst) !== undefined);
  equal(placeOf(burst.subarray(1)), undefined);
  equal(placeOf(new Uint32Array(burst.buffer, burst.byteOffset, 4)), undefined);
});

/** Arrays of all kinds: by the shim or by loop, they must be copied alike. */
function arraysOf(words: number): Uint32Array[] {
  const large = newBurst(words + 8);
  return [
    newBurst(words),
    new Uint32Array(words),
    large.subarray(3, 3 + words),
    large,
    newBurst(words),
    new Uint32Array(new SharedArrayBuffer(words * 4)),
  ];
}

for (const elementBytes of [4, 8, 16] as const) {
  Deno.test(`rings of ${elementBytes} bytes copy bursts of newBurst() as they copy any array`, () => {
    const size = 64, perElement = elementBytes / 4;
    const bytes = MpmcRing.bytes(size, elementBytes);
    const memories = Array.from({ length: 5 }, () => MappedMemory.ofProcess(bytes));
    const rings = [
      new SpscRing(memories[0], 0, size, { elementBytes }),
      ...(["single", "multi", "hts", "rts"] as const).map((sharing, i) =>
        new MpmcRing(memories[i + 1], 0, size, {
          elementBytes,
          producers: sharing,
          consumers: sharing,
        })
      ),
    ];
    const [senders, receivers] = [arraysOf(size * perElement), arraysOf(size * perElement)];
    let next = 1;
    for (const ring of rings) {
      for (let n = 1; n <= size; n++) {
        for (const sent of senders) {
          for (const got of receivers) {
            for (let i = 0; i < n * perElement; i++) sent[i] = next++;
            got.fill(0);
            equal(ring.enqueueBulk(sent, n), n);
            equal(ring.dequeueBulk(got, n), n);
            const end = n * perElement;
            equal(got.slice(0, end).join(), sent.slice(0, end).join());
            ok(got.slice(end).every((word) => word === 0));
          }
        }
      }
    }
    for (const memory of memories) memory.close();
  });
}

Deno.test("a burst that is shorter than what is asked for is copied as far as it goes", () => {
  const memory = MappedMemory.ofProcess(SpscRing.bytes(64));
  const ring = new SpscRing(memory, 0, 64);
  const [burst, neighbour] = [newBurst(40), newBurst(40)];
  ring.enqueueBulk(new Uint32Array(128).fill(9), 64);
  equal(ring.dequeueBulk(burst, 64), 64);
  ok(burst.every((word) => word === 9));
  ok(neighbour.every((word) => word === 0), "what lies behind it is another's");
  memory.close();
});
