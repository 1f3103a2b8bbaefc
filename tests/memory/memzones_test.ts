import { deepEqual, equal, ok, throws } from "node:assert/strict";
import {
  DIRECTORY_BYTES,
  HEADER,
  ZONE_KIND,
  ZONES_BYTES,
  ZONES_MAX,
} from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { MIB, publish } from "./published.ts";

Deno.test("Region.addMemzone() reserves zeroed memory, aligned to 128 bytes", () => {
  using memory = freshMemory(MIB);
  memory.u8.fill(0xee, ZONES_BYTES);
  const region = Region.build(memory, "r0");
  const zones = [1, 128, 129, 5].map((size, i) => region.addMemzone(`z${i}`, ZONE_KIND.RAW, size));
  deepEqual(zones.map(({ offset }) => offset - ZONES_BYTES), [0, 128, 256, 512]);
  for (const { offset, size } of zones) {
    ok(memory.u8.subarray(offset, offset + size).every((byte) => byte === 0));
    equal(memory.u8[offset + size], size === 128 ? 0 : 0xee, "and not a byte more");
  }
});

Deno.test("Region.addMemzone() believes nothing that a guest has written over header and directory", () => {
  using sound = freshMemory(MIB);
  using spoiled = freshMemory(MIB);
  const [first, second] = [publish(sound), publish(spoiled)];
  spoiled.u32.fill(0xdeadbeef, 0, ZONES_BYTES / 4);
  equal(second.free, first.free);
  for (const name of ["late", "later"]) {
    deepEqual(
      second.addMemzone(name, ZONE_KIND.RAW, 200),
      first.addMemzone(name, ZONE_KIND.RAW, 200),
    );
  }
  deepEqual(second.zones, first.zones);
  throws(() => second.addMemzone("g0", ZONE_KIND.RAW, 1), /there is one of that name/);
});

Deno.test("Region.addMemzone() fills the region to its last byte", () => {
  using memory = freshMemory(MIB);
  const region = Region.build(memory, "r0");
  const all = region.free;
  throws(() => region.addMemzone("mbufs", ZONE_KIND.MBUFS, all + 1), {
    name: "CulvertError",
    message:
      `Cannot add memzone mbufs to region r0 as it needs ${all + 1} bytes where ${all} are ` +
      "free: make the region larger (--size) or ask for fewer mbufs (--mbufs)",
  });
  equal(region.free, all, "a refused memzone takes nothing");
  deepEqual(region.addMemzone("mbufs", ZONE_KIND.MBUFS, all).size, all);
  equal(region.free, 0);
  region.publish();
  Region.attach(memory, "r0");
});

Deno.test("Region.addMemzone() is for whoever builds the region", () => {
  using memory = freshMemory(MIB);
  publish(memory);
  throws(() => Region.attach(memory, "r0").addMemzone("late", ZONE_KIND.RAW, 4096), {
    name: "CulvertError",
    message: "Cannot add memzone late to region r0 as it was attached to, not built here: " +
      "let the one that builds it add memzones",
  });
  equal(Region.attach(memory, "r0").zones.length, 1);
});

Deno.test("Region.addMemzone() fills a memzone before anyone can find it", () => {
  using memory = freshMemory(MIB);
  const host = publish(memory);
  const guest = Region.attach(memory, "r0");
  let seen;
  host.addMemzone("late", ZONE_KIND.RAW, 128, 0, ({ offset }) => {
    seen = guest.refresh();
    equal(memory.u8[offset], 0);
    memory.u8[offset] = 7;
  });
  deepEqual(seen, []);
  const [late] = guest.refresh();
  equal(memory.u8[late.offset], 7);
});

Deno.test("Region.addMemzone() leaves nothing behind if the filling fails", () => {
  using memory = freshMemory(MIB);
  const host = publish(memory);
  const before = host.free;
  const fail = () => {
    throw new Error("no");
  };
  throws(() => host.addMemzone("late", ZONE_KIND.RAW, 128, 0, fail), /no/);
  equal(host.free, before);
  deepEqual(Region.attach(memory, "r0").zones, host.zones);
  host.addMemzone("late", ZONE_KIND.RAW, 128);
});

Deno.test("Region.addMemzone() goes by what the host knows, whatever a guest writes into the directory", () => {
  using memory = freshMemory(MIB);
  const host = publish(memory);
  memory.u32[HEADER.ZONE_COUNT] = 0xffffffff;
  memory.u32.fill(0xffffffff, DIRECTORY_BYTES / 4, ZONES_BYTES / 4);
  const late = host.addMemzone("late", ZONE_KIND.RAW, 128);
  equal(late.offset, ZONES_BYTES + 384);
  equal(memory.u32[HEADER.ZONE_COUNT], 2);
  deepEqual(host.refresh(), [], "nor does it learn anything from there");
  equal(host.zones.length, 2);
});

for (const size of [0, -1, 1.5, NaN, Infinity]) {
  Deno.test(`Region.addMemzone() refuses a size of ${size} bytes`, () => {
    using memory = freshMemory(MIB);
    throws(() => Region.build(memory, "r0").addMemzone("z", ZONE_KIND.RAW, size), {
      message: `Cannot add memzone z to region r0 as it is to have ${size} bytes: ` +
        "a whole number from 1 up is wanted",
    });
  });
}

Deno.test("Region.addMemzone() refuses a name that would end at its NUL", () => {
  using memory = freshMemory(MIB);
  throws(() => Region.build(memory, "r0").addMemzone("a\0b", ZONE_KIND.RAW, 1), {
    message: /as its name has a NUL in it: leave that out$/,
  });
});

for (const name of ["", "x".repeat(32), "ü".repeat(16)]) {
  const length = new TextEncoder().encode(name).length;
  Deno.test(`Region.addMemzone() refuses the name "${name}" of ${length} bytes`, () => {
    using memory = freshMemory(MIB);
    throws(() => Region.build(memory, "r0").addMemzone(name, ZONE_KIND.RAW, 1), {
      name: "CulvertError",
      message: `Cannot add memzone ${name} to region r0 as its name has ${length} bytes: ` +
        "1 to 31 fit",
    });
  });
}

Deno.test("Region.addMemzone() refuses a name that is taken", () => {
  using memory = freshMemory(MIB);
  const region = Region.build(memory, "r0");
  region.addMemzone("x".repeat(31), ZONE_KIND.RAW, 1);
  throws(() => region.addMemzone("x".repeat(31), ZONE_KIND.RING, 1), {
    message: /as there is one of that name: choose another$/,
  });
});

Deno.test("Region.addMemzone() refuses one more than the directory holds", () => {
  using memory = freshMemory(MIB);
  const region = Region.build(memory, "r0");
  for (let i = 0; i < ZONES_MAX; i++) region.addMemzone(`z${i}`, ZONE_KIND.RAW, 4);
  throws(() => region.addMemzone("late", ZONE_KIND.RAW, 4), {
    message: "Cannot add memzone late to region r0 as the directory is full: " +
      `${ZONES_MAX} memzones fit; use fewer ports or guests`,
  });
  region.publish();
  equal(Region.attach(memory, "r0").zones.length, ZONES_MAX);
});
