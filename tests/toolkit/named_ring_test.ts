import { deepEqual, equal, ok, throws } from "node:assert/strict";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { DIRECTORY_BYTES, ENTRY, MPMC, ZONE_KIND } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { MpmcRing } from "../../app/ring/mpmc_ring.ts";
import { addRing, attachRing, listRings } from "../../app/toolkit/named_ring.ts";
import { SpscRing } from "../../app/ring/spsc_ring.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { Burst } from "../../app/ring/burst.ts";
import { burstOf } from "../kit/burst_of.ts";

const KINDS = ["spsc", "mpmc"] as const;
const CLASS = { spsc: SpscRing, mpmc: MpmcRing };
const NAME_OF = { spsc: "RING", mpmc: "MPMC" } as const;
const WORDS = { spsc: 2, mpmc: 1 };
const BYTES = { spsc: 8, mpmc: 4 } as const;

/** A published region with a ring "work" of 8 slots. */
function ringIn(memory: MappedMemory, kind: (typeof KINDS)[number]) {
  const region = Region.build(memory, "r0");
  region.publish();
  return { region, ring: addRing(region, "work", 8, { kind } as { kind: "spsc" }) };
}

for (const kind of KINDS) {
  const options = { kind } as { kind: "spsc" };

  Deno.test(`attachRing() of kind ${kind} finds what addRing() made, in both directions of time`, () => {
    using memory = freshMemory(1 << 20);
    const { region, ring } = ringIn(memory, kind);
    const { kind: zoneKind, size, parameter } = region.zones[0];
    equal(zoneKind, ZONE_KIND[NAME_OF[kind]]);
    deepEqual([size, parameter], [CLASS[kind].bytes(8), 8]);

    const burst = burstOf(Array.from({ length: 8 * WORDS[kind] }, (_, i) => 100 + i), BYTES[kind]);
    equal(ring.enqueueBurst(burst, 3), 3);
    const other = attachRing(Region.attach(memory, "r0"), "work", options);
    ok(other instanceof CLASS[kind]);
    equal(other.size, 8);
    equal(ring.enqueueBurst(burst, 5), 5, "all slots can be used");
    equal(ring.enqueueBurst(burst, 1), 0);
    const got = Burst.of(16, BYTES[kind]);
    equal(other.dequeueBurst(got, 3), 3);
    deepEqual(got.words.subarray(0, 3 * WORDS[kind]), burst.words.subarray(0, 3 * WORDS[kind]));
    equal(other.dequeueBulk(got, 5), 5);
    equal(ring.count, 0);
  });

  Deno.test(`attachRing() of kind ${kind} refuses what is not there, or of another kind`, () => {
    using memory = freshMemory(1 << 20);
    const { region } = ringIn(memory, kind);
    region.addMemzone("config", ZONE_KIND.RAW, 4096);
    const guest = Region.attach(memory, "r0");
    const wanted = `kind ${NAME_OF[kind]} is wanted`;
    throws(() => attachRing(guest, "works", options), {
      name: "CulvertError",
      message: `Cannot find memzone works in region r0 as there is none of that name: ${wanted}`,
    });
    throws(() => attachRing(guest, "config", options), {
      message: `Cannot find memzone config in region r0 as it is of kind RAW there: ${wanted}`,
    });
    const other = { kind: kind === "spsc" ? "mpmc" : "spsc" } as { kind: "spsc" };
    throws(() => attachRing(guest, "work", other), {
      message: `Cannot find memzone work in region r0 as it is of kind ${NAME_OF[kind]} there: ` +
        `kind ${NAME_OF[other.kind]} is wanted`,
    });
  });

  for (const slots of [0, 1, 3, 16, 2 ** 25, 0x80000000, 0xffffffff]) {
    Deno.test(`attachRing() of kind ${kind} refuses ${slots} slots in a memzone for 8`, () => {
      using memory = freshMemory(1 << 20);
      ringIn(memory, kind);
      memory.u32[DIRECTORY_BYTES / 4 + ENTRY.PARAMETER] = slots;
      throws(() => attachRing(Region.attach(memory, "r0"), "work", options), {
        name: "CulvertError",
        message: `Cannot use ring work of region r0 as its memzone has ${CLASS[kind].bytes(8)} ` +
          `bytes for ${slots} slots: the directory is spoiled; let its host build the region again`,
      });
    });
  }

  Deno.test(`addRing() of kind ${kind} refuses a size that is none, and leaves nothing behind`, () => {
    using memory = freshMemory(1 << 20);
    const region = Region.build(memory, "r0");
    for (const size of [0, 1, 100, 2 ** 25]) {
      throws(
        () => addRing(region, "work", size, options),
        /^CulvertError: .* a power of two from 2/,
      );
    }
    throws(() => addRing(region, "work", 2 ** 20, options), /where \d+ are free/);
    deepEqual(region.zones, []);
  });
}

Deno.test("addRing() takes one producer of a ring of kind mpmc at its word", () => {
  using memory = freshMemory(1 << 20);
  const region = Region.build(memory, "r0");
  const options = { kind: "mpmc", producers: "single", consumers: "single" } as const;
  const ring = addRing(region, "work", 8, options);
  region.publish();
  const other = attachRing(Region.attach(memory, "r0"), "work", options);
  for (let round = 0; round < 10; round++) {
    equal(ring.enqueueBulk(burstOf([round], 4), 1), 1);
    const got = Burst.of(1, 4);
    equal(other.dequeueBulk(got, 1), 1);
    equal(got.words[0], round);
  }
});

Deno.test("a named ring outlives the one who made it and goes on where it was", () => {
  using memory = freshMemory(1 << 20);
  const { region } = ringIn(memory, "spsc");
  const producer = attachRing(region, "work", { kind: "spsc" });
  const burst = burstOf([1, 2, 3, 4]);
  for (let i = 0; i < 5; i++) {
    producer.enqueueBulk(burst, 2);
    attachRing(region, "work", { kind: "spsc" }).dequeueBulk(Burst.of(2), 2);
  }
  producer.enqueueBulk(burst, 2);
  const late = attachRing(Region.attach(memory, "r0"), "work", { kind: "spsc" });
  const got = Burst.of(2);
  equal(late.dequeueBurst(got, 2), 2);
  deepEqual([...got.words], [1, 2, 3, 4]);
  equal(late.violations, 0);
});

Deno.test("attachRing() gives a ring of kind mpmc the shape that it was added with", () => {
  using memory = freshMemory(1 << 20);
  const region = Region.build(memory, "r0");
  const shape = {
    producers: "rts",
    consumers: "hts",
    elementBytes: 16,
    capacity: 5,
  } as const;
  addRing(region, "work", 8, { kind: "mpmc", ...shape });
  region.publish();
  const guest = Region.attach(memory, "r0");
  const { producers, consumers, wordsPerElement, capacity } = attachRing(guest, "work", {
    kind: "mpmc",
  });
  deepEqual([producers, consumers, wordsPerElement, capacity], ["rts", "hts", 4, 5]);
  attachRing(guest, "work", { kind: "mpmc", ...shape });
  const others = [
    { producers: "multi" },
    { consumers: "single" },
    { elementBytes: 4 },
    { capacity: 8 },
  ] as const;
  for (const other of others) {
    const [[key, value]] = Object.entries(other);
    throws(() => attachRing(guest, "work", { kind: "mpmc", ...other }), {
      name: "CulvertError",
      message: `Cannot use ring work of region r0 as its ${key} is ` +
        `${shape[key as keyof typeof shape]}: ${value} is wanted; say the same on all sides`,
    });
  }
});

for (const word of ["ELEMENT_BYTES", "CAPACITY", "PRODUCERS", "CONSUMERS"] as const) {
  for (const value of [0, 5, 17, 0xffffffff]) {
    if (word === "CAPACITY" && value === 5) continue;
    Deno.test(`attachRing() refuses a ring whose ${word} is spoiled to ${value}`, () => {
      using memory = freshMemory(1 << 20);
      const { region } = ringIn(memory, "mpmc");
      memory.u32[region.zones[0].offset / 4 + MPMC[word]] = value;
      throws(() => attachRing(region, "work", { kind: "mpmc" }), /its shape is not possible/);
    });
  }
}

Deno.test("attachRing() refuses elements that are larger than the memzone has room for", () => {
  using memory = freshMemory(1 << 20);
  const { region } = ringIn(memory, "mpmc");
  memory.u32[region.zones[0].offset / 4 + MPMC.ELEMENT_BYTES] = 16;
  throws(() => attachRing(region, "work", { kind: "mpmc" }), /has 288 bytes for 8 slots/);
  addRing(region, "spsc", 8, { kind: "spsc" });
  throws(() => attachRing(region, "spsc", { kind: "spsc", elementBytes: 16 }), /bytes for 8 slots/);
});

Deno.test("listRings() tells all rings of a region, and nothing else", () => {
  using memory = freshMemory(1 << 20);
  const { region } = ringIn(memory, "mpmc");
  region.addMemzone("config", ZONE_KIND.RAW, 4096);
  addRing(region, "in", 16, { kind: "spsc", elementBytes: 4 });
  deepEqual(listRings(Region.attach(memory, "r0")), [
    { name: "work", kind: "mpmc", size: 8 },
    { name: "in", kind: "spsc", size: 16 },
  ]);
});
