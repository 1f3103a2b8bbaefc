import { deepEqual, equal, throws } from "node:assert/strict";
import { ZONE_KIND } from "../../app/memory/layout.ts";
import { addMemzone, attachMemzone, RawMemzone } from "../../app/toolkit/raw_memzone.ts";
import { Region } from "../../app/memory/region.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";

const MIB = 1 << 20;

Deno.test("attachMemzone() sees what addMemzone() was given, and each side what the other writes", () => {
  using memory = freshMemory(MIB);
  const region = Region.build(memory, "r0");
  const host = addMemzone(region, "config", 10, (zone) => zone.u8.set([1, 2, 3, 4, 5]));
  region.publish();
  const guest = attachMemzone(Region.attach(memory, "r0"), "config");
  equal(guest.name, "config");
  deepEqual([...guest.u8], [1, 2, 3, 4, 5, 0, 0, 0, 0, 0]);
  deepEqual([...guest.u32], [0x04030201, 5], "words that are whole");
  guest.u8[9] = 6;
  equal(host.u8[9], 6);
});

Deno.test("RawMemzone lies in its memory where that begins further on in its buffer, as hugepages may", () => {
  using whole = freshMemory(MIB);
  const [start, bytes] = [1 << 16, MIB - (1 << 16)];
  const memory = new MappedMemory({ ...whole.handle, start, bytes });
  const zone = { name: "zone", kind: ZONE_KIND.RAW, offset: 256, size: 12, parameter: 0 };
  const { u8, u32 } = new RawMemzone(memory, zone);
  u8[0] = 1;
  u32[1] = 2;
  deepEqual([...whole.u32.subarray((start + 256) / 4, (start + 268) / 4)], [1, 2, 0]);
  deepEqual([u8.length, u32.length], [12, 3]);
});

Deno.test("RawMemzone has atomics on its words, and on no word beside", () => {
  using memory = freshMemory(MIB);
  const region = Region.build(memory, "r0");
  const zones = ["before", "zone", "behind"].map((name) => addMemzone(region, name, 128));
  const zone = zones[1];
  zone.store(31, 5);
  equal(zone.load(31), 5);
  equal(zone.compareAndSwap(31, 4, 6), false);
  equal(zone.compareAndSwap(31, 5, 6), true);
  equal(zone.fetchAdd(31, 0xffffffff), 6);
  deepEqual([zone.load(31), zone.u32[31]], [5, 5]);
  zones[2].u32.fill(9);
  for (const word of [32, 33, 2 ** 30, 0xffffffff]) {
    zone.store(word, 1);
    equal(zone.load(word), 0);
    equal(zone.compareAndSwap(word, 9, 1), false);
    equal(zone.fetchAdd(word, 1), 0);
  }
  deepEqual([...zones[2].u32], Array(32).fill(9));
  deepEqual([...zones[0].u32], Array(32).fill(0));
});

Deno.test("RawMemzone.text() ends at the first NUL or with the memzone, and stays", () => {
  using memory = freshMemory(MIB);
  const region = Region.build(memory, "r0");
  const encode = (text: string) => new TextEncoder().encode(text);
  const zone = addMemzone(region, "text", 7, ({ u8 }) => u8.set(encode("größe")));
  equal(zone.text(), "größe");
  zone.u8.set(encode("ab\0cd"));
  const text = zone.text();
  zone.u8.fill(1);
  equal(text, "ab");
});

Deno.test("attachMemzone() wants a memzone of that name and of kind RAW", () => {
  using memory = freshMemory(MIB);
  const region = Region.build(memory, "r0");
  region.addMemzone("ring", ZONE_KIND.RING, 512, 32);
  throws(() => attachMemzone(region, "config"), {
    name: "CulvertError",
    message: "Cannot find memzone config in region r0 as there is none of that name: " +
      "kind RAW is wanted",
  });
  throws(() => attachMemzone(region, "ring"), {
    message:
      "Cannot find memzone ring in region r0 as it is of kind RING there: kind RAW is wanted",
  });
});
