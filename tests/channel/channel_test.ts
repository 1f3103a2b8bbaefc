import { deepEqual, equal, throws } from "node:assert/strict";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { addChannel, Channel, findChannel } from "../../app/channel/channel.ts";
import { DIRECTORY_BYTES, ENTRY, RING, ZONE_KIND } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { Burst } from "../../app/ring/burst.ts";
import { burstOf } from "../kit/burst_of.ts";

const RINGS = ["rx", "tx", "lend", "giveback"] as const;
const DESCRIPTION = {
  portName: "tap0",
  mac: new Uint8Array([0x02, 0, 0, 0xab, 0xcd, 0xef]),
  frameMax: 1518,
};

/** A published region with one channel of rings of eight, seen from both sides. */
function channelIn(memory: MappedMemory, description = DESCRIPTION) {
  const region = Region.build(memory, "r0");
  const place = addChannel(region, 0, 0, 8, description);
  region.publish();
  const found = findChannel(Region.attach(memory, "r0"), 0, 0);
  const [host, guest] = [new Channel(memory, place), new Channel(memory, found.place)];
  return { region, place, found, host, guest };
}

Deno.test("findChannel() tells what addChannel() was told of the port, and where it put the rings", () => {
  using memory = freshMemory(1 << 20);
  const { found, place } = channelIn(memory);
  deepEqual(found, { ...DESCRIPTION, queues: 1, place });
  equal(place.ringSize, 8);
});

for (
  const [given, found] of [["", ""], ["x".repeat(15), "x".repeat(15)], [
    "y".repeat(40),
    "y".repeat(15),
  ]]
) {
  Deno.test(`findChannel() tells a port name of ${given.length} bytes up to the 15th`, () => {
    using memory = freshMemory(1 << 20);
    const channel = channelIn(memory, { ...DESCRIPTION, portName: given }).found;
    equal(channel.portName, found);
    deepEqual(channel.mac, DESCRIPTION.mac);
  });
}

for (const ring of RINGS) {
  Deno.test(`a channel's ${ring} ring carries descriptors to the other side, and no other ring does`, () => {
    using memory = freshMemory(1 << 20);
    const { host, guest } = channelIn(memory);
    const toGuest = ring === "rx" || ring === "lend";
    const [from, to] = toGuest ? [host, guest] : [guest, host];
    equal(from[ring].enqueueBulk(burstOf(Array.from({ length: 16 }, (_, i) => i)), 8), 8);
    for (const other of RINGS) equal(to[other].count, other === ring ? 8 : 0);
    const burst = Burst.of(8);
    equal(to[ring].dequeueBurst(burst, 8), 8);
    deepEqual([...burst.words], [...Array(16).keys()]);
  });
}

Deno.test("addChannel() gives each channel memzones of its own, apart by 128 bytes", () => {
  using memory = freshMemory(1 << 20);
  const region = Region.build(memory, "r0");
  for (const [guest, port] of [[0, 0], [0, 1], [1, 0]]) {
    addChannel(region, guest, port, 8, { ...DESCRIPTION, portName: `tap${guest}${port}` });
  }
  deepEqual(
    region.zones.map(({ name }) => name),
    ["g0.p0", "g0.p1", "g1.p0"].flatMap((name) => [
      name,
      ...RINGS.map((ring) => `${name}.${ring}`),
    ]),
  );
  let end = 0;
  for (const { offset, size } of region.zones) {
    equal(offset % 128, 0);
    equal(offset >= end, true);
    end = offset + size;
  }
  equal(findChannel(region, 0, 1).portName, "tap01");
  equal(findChannel(region, 1, 0).portName, "tap10");
});

Deno.test("addChannel() refuses a ring size before it takes any memory", () => {
  using memory = freshMemory(1 << 20);
  const region = Region.build(memory, "r0");
  const { free } = region;
  throws(() => addChannel(region, 0, 0, 12, DESCRIPTION), {
    message: "Cannot use a ring of 12 slots: a power of two from 2 to 16777216 is wanted",
  });
  equal(region.free, free);
});

Deno.test("findChannel() refuses a guest or port that the region has no channel for", () => {
  using memory = freshMemory(1 << 20);
  const { region } = channelIn(memory);
  throws(() => findChannel(region, 0, 1), {
    message: /^Cannot find memzone g0\.p1 in region r0 /,
  });
  throws(() => findChannel(region, 1, 0), {
    message: /^Cannot find memzone g1\.p0 in region r0 /,
  });
});

/** Where word `field` of the directory's entry for ring `ring` lies. */
function entryWord(ring: typeof RINGS[number], field: number): number {
  return DIRECTORY_BYTES / 4 + (1 + RINGS.indexOf(ring)) * ENTRY.WORDS + field;
}

Deno.test("findChannel() refuses a ring size that is no power of two", () => {
  using memory = freshMemory(1 << 20);
  channelIn(memory);
  for (const ring of RINGS) memory.u32[entryWord(ring, ENTRY.PARAMETER)] = 7;
  throws(() => findChannel(Region.attach(memory, "r0"), 0, 0), {
    message: "Cannot use a ring of 7 slots: a power of two from 2 to 16777216 is wanted",
  });
});

for (const ring of RINGS) {
  Deno.test(`findChannel() refuses a ${ring} ring that its memzone has no room for`, () => {
    using memory = freshMemory(1 << 20);
    channelIn(memory);
    memory.u32[entryWord(ring, ENTRY.SIZE)] = 319;
    throws(() => findChannel(Region.attach(memory, "r0"), 0, 0), {
      name: "CulvertError",
      message: `Cannot use ring g0.p0.${ring} as it has 8 slots in 319 bytes: 8 in 320 are wanted`,
    });
  });

  Deno.test(`findChannel() refuses a ${ring} ring that is something else`, () => {
    using memory = freshMemory(1 << 20);
    channelIn(memory);
    memory.u32[entryWord(ring, ENTRY.KIND)] = ZONE_KIND.RAW;
    throws(() => findChannel(Region.attach(memory, "r0"), 0, 0), {
      message: `Cannot find memzone g0.p0.${ring} in region r0 as it is of kind RAW there: ` +
        "kind RING is wanted",
    });
  });
}

Deno.test("Channel.reset() empties all four rings, whatever the guest has written", () => {
  using memory = freshMemory(1 << 20);
  const { place, host } = channelIn(memory);
  for (const ring of RINGS) {
    host[ring].enqueueBulk(Burst.of(4), 4);
    memory.u32[place[ring] / 4 + RING.PRODUCER] = 0x12345678;
    memory.u32[place[ring] / 4 + RING.CONSUMER] = 0x9abcdef0;
  }
  host.reset();
  const guest = new Channel(memory, place);
  for (const ring of RINGS) {
    equal(guest[ring].count, 0);
    const toGuest = ring === "rx" || ring === "lend";
    const [from, to] = toGuest ? [host, guest] : [guest, host];
    equal(from[ring].enqueueBurst(Burst.of(9), 9), 8);
    equal(to[ring].dequeueBurst(Burst.of(9), 9), 8);
  }
  equal(host.violations + guest.violations, 0);
});

Deno.test("Channel.violations counts impossible positions in all four rings", () => {
  using memory = freshMemory(1 << 20);
  const { place, host } = channelIn(memory);
  const burst = Burst.of(9);
  for (const ring of ["rx", "lend"] as const) {
    equal(host[ring].enqueueBulk(burst, 8), 8);
    memory.u32[place[ring] / 4 + RING.CONSUMER] = 9;
    equal(host[ring].enqueueBurst(burst, 1), 0);
  }
  equal(host.violations, 2);
  for (const ring of ["tx", "giveback"] as const) {
    memory.u32[place[ring] / 4 + RING.PRODUCER] = 9;
    equal(host[ring].dequeueBurst(burst, 9), 0);
  }
  equal(host.violations, 4);
});

Deno.test("addChannel() gives each queue of a port a channel, and says how many there are", () => {
  using memory = freshMemory(1 << 20);
  const region = Region.build(memory, "r0");
  const description = { ...DESCRIPTION, queues: 3 };
  const places = [0, 1, 2].map((queue) => addChannel(region, 0, 1, 8, description, queue));
  region.publish();
  const found = [0, 1, 2].map((queue) => findChannel(region, 0, 1, queue));
  deepEqual(found.map(({ place }) => place), places);
  deepEqual(found.map(({ queues }) => queues), [3, 3, 3]);
  equal(region.zones.some(({ name }) => name === "g0.p1.q2.giveback"), true);
});
