import { deepEqual, equal, ok, throws } from "node:assert/strict";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import {
  DIRECTORY_BYTES,
  ENTRY,
  hashText,
  HEADER,
  LAYOUT_HASH,
  LAYOUT_VERSION,
  REGION_STATE,
  ZONE_KIND,
  ZONES_BYTES,
  ZONES_MAX,
} from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { checkRegionBytes } from "../../app/memory/region_size.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";

const MIB = 1 << 20;

/** A published region with one memzone. */
function publish(memory: MappedMemory): Region {
  const region = Region.build(memory, "r0");
  region.addMemzone("g0", ZONE_KIND.GUEST, 384, 2);
  region.publish();
  return region;
}

/** Publish a region, spoil it, and see with which words a guest is refused. */
function refused(spoil: (memory: MappedMemory) => void, message: string): void {
  using memory = freshMemory(MIB);
  publish(memory);
  Region.attach(memory, "r0"); // or the test would show nothing
  spoil(memory);
  throws(() => Region.attach(memory, "r0"), { name: "CulvertError", message });
}

Deno.test("checkRegionBytes() takes powers of two from 1 MiB to 4 GiB", () => {
  for (let bits = 20; bits <= 32; bits++) checkRegionBytes(2 ** bits, "r0");
});

for (const bytes of [0, 4096, MIB / 2, MIB - 1]) {
  Deno.test(`checkRegionBytes() refuses ${bytes} bytes as too small`, () => {
    throws(() => checkRegionBytes(bytes, "r0"), {
      name: "CulvertError",
      message: `Cannot use region r0 as it has ${bytes} bytes: 1 MiB is the least`,
    });
  });
}

for (const bytes of [MIB + 1, 3 * MIB, 2 ** 32 - 4096, NaN]) {
  Deno.test(`checkRegionBytes() refuses ${bytes} bytes as no power of two up to 4 GiB`, () => {
    throws(() => checkRegionBytes(bytes, "r0"), {
      name: "CulvertError",
      message: `Cannot use region r0 as it has ${bytes} bytes: QEMU takes powers of two only; ` +
        "use 1M, 2M, 4M ... 4G",
    });
  });
}

Deno.test("checkRegionBytes() refuses more than 4 GiB as that, not as no power of two", () => {
  throws(() => checkRegionBytes(2 ** 33, "r0"), {
    message: `Cannot use region r0 as it has ${2 ** 33} bytes: 4 GiB is the most`,
  });
});

Deno.test("Region.build() and attach() refuse memory that is too small or no power of two", () => {
  using small = freshMemory(65536);
  throws(
    () => Region.build(small, "r0"),
    /^CulvertError: .*it has 65536 bytes: 1 MiB is the least$/,
  );
  throws(
    () => Region.attach(small, "r0"),
    /^CulvertError: .*it has 65536 bytes: 1 MiB is the least$/,
  );
  using odd = freshMemory(3 * MIB);
  throws(() => Region.build(odd, "r0"), /^CulvertError: .*it has 3145728 bytes: QEMU takes powers/);
  throws(
    () => Region.attach(odd, "r0"),
    /^CulvertError: .*it has 3145728 bytes: QEMU takes powers/,
  );
});

Deno.test("Region.attach() finds what Region.build() made", () => {
  using memory = freshMemory(MIB);
  const built = publish(memory);
  const attached = Region.attach(memory, "r0");
  deepEqual(attached.zones, [
    { name: "g0", kind: ZONE_KIND.GUEST, offset: ZONES_BYTES, size: 384, parameter: 2 },
  ]);
  deepEqual(attached.zones, built.zones);
  equal(attached.epoch, 1);
  equal(memory.u32[HEADER.LAYOUT_HASH], LAYOUT_HASH);
});

Deno.test("Region.attach() refuses memory that no host has begun", () => {
  using memory = freshMemory(MIB);
  throws(() => Region.attach(memory, "r0"), {
    message: "Cannot attach to region r0 as it does not begin with Culvert's magic: " +
      "is it a region, has a host begun it?",
  });
});

for (const word of [HEADER.MAGIC_0, HEADER.MAGIC_1]) {
  Deno.test(`Region.attach() refuses a wrong magic in word ${word}`, () => {
    refused(
      (memory) => memory.u32[word] ^= 0x20,
      "Cannot attach to region r0 as it does not begin with Culvert's magic: " +
        "is it a region, has a host begun it?",
    );
  });
}

Deno.test("Region.attach() refuses a region that is half-built", () => {
  using memory = freshMemory(MIB);
  const region = Region.build(memory, "r0");
  const refusal = {
    name: "CulvertError",
    message: "Cannot attach to region r0 as it is half-built: its host is still at it or died; " +
      "start the host again",
  };
  throws(() => Region.attach(memory, "r0"), refusal);
  region.addMemzone("g0", ZONE_KIND.GUEST, 384);
  throws(() => Region.attach(memory, "r0"), refusal);
  region.publish();
  Region.attach(memory, "r0");
});

Deno.test("Region.attach() refuses a region that is being built again", () => {
  refused(
    (memory) => Region.build(memory, "r0"),
    "Cannot attach to region r0 as it is half-built: its host is still at it or died; " +
      "start the host again",
  );
});

for (const version of [LAYOUT_VERSION + 1, 0xffffffff]) {
  Deno.test(`Region.attach() refuses layout version ${version}`, () => {
    refused(
      (memory) => memory.u32[HEADER.VERSION] = version,
      `Cannot attach to region r0 as its layout version is ${version}: ` +
        `this build reads version ${LAYOUT_VERSION}; take the host's build, a VM boots again`,
    );
  });
}

Deno.test("Region.attach() refuses a layout that differs within a version", () => {
  refused(
    (memory) => memory.u32[HEADER.LAYOUT_HASH] ^= 1,
    `Cannot attach to region r0 as its layout's hash is ${hashText((LAYOUT_HASH ^ 1) >>> 0)}: ` +
      `this build's is ${hashText(LAYOUT_HASH)}; run the same build of Culvert on both sides`,
  );
});

Deno.test("Region.attach() refuses memory that is smaller than the header says", () => {
  refused(
    (memory) => memory.u32[HEADER.PAGES] = 2 * MIB / 4096,
    `Cannot attach to region r0 as it has ${MIB} bytes where its header says ${2 * MIB}: ` +
      "give the VM the whole region (QEMU: size=...)",
  );
});

Deno.test("Region.attach() refuses a region that its host has closed", () => {
  refused(
    (memory) => Region.attach(memory, "r0").close(),
    "Cannot attach to region r0 as its host has closed it: start the host again",
  );
});

Deno.test("Region.attach() refuses a directory that counts too many memzones", () => {
  refused(
    (memory) => memory.u32[HEADER.ZONE_COUNT] = 0xffffffff,
    `Cannot read the region's directory as it counts 4294967295 memzones: ${ZONES_MAX} is the most`,
  );
});

Deno.test("Region.attach() refuses a directory that names memory outside the region", () => {
  refused(
    (memory) => memory.u32[DIRECTORY_BYTES / 4 + ENTRY.SIZE] = MIB,
    `Cannot read the region's directory as memzone g0 lies at ${ZONES_BYTES}+${MIB}: ` +
      `the region ends at ${MIB}`,
  );
});

Deno.test("Region.build() raises the epoch with each host, and keeps no memzone", () => {
  using memory = freshMemory(MIB);
  equal(publish(memory).epoch, 1);
  const guest = Region.attach(memory, "r0");
  const second = Region.build(memory, "r0");
  equal(second.epoch, 2);
  equal(guest.epoch, 2, "a guest sees it");
  deepEqual(second.zones, []);
  equal(second.free, MIB - ZONES_BYTES);
});

Deno.test("Region.build() raises the epoch though the host before it died half-way", () => {
  using memory = freshMemory(MIB);
  Region.build(memory, "r0");
  equal(Region.build(memory, "r0").epoch, 2);
});

Deno.test("Region.build() lets the epoch wrap", () => {
  using memory = freshMemory(MIB);
  publish(memory);
  memory.u32[HEADER.EPOCH] = 0xffffffff;
  equal(Region.build(memory, "r0").epoch, 0);
});

Deno.test("Region.build() begins at epoch 1 where there was something else", () => {
  using memory = freshMemory(MIB);
  memory.u32.fill(0xffffffff, 0, 16);
  equal(Region.build(memory, "r0").epoch, 1);
});

Deno.test("Region.close() lets guests see another epoch", () => {
  using memory = freshMemory(MIB);
  const region = publish(memory);
  const before = region.epoch;
  region.close();
  ok(region.epoch !== before);
  equal(memory.u32[HEADER.STATE], REGION_STATE.CLOSED);
});

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

Deno.test("Region.beat() and close() count on from what the host wrote, not from what is there", () => {
  using memory = freshMemory(MIB);
  const region = publish(memory);
  const { epoch } = region;
  region.beat();
  memory.u32[HEADER.HEARTBEAT] = memory.u32[HEADER.EPOCH] = 0xdeadbeef;
  region.beat();
  equal(region.heartbeat, 2);
  region.close();
  equal(region.epoch, epoch + 1);
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

Deno.test("Region.free is the same for whoever attaches", () => {
  using memory = freshMemory(MIB);
  const region = publish(memory);
  equal(Region.attach(memory, "r0").free, region.free);
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

Deno.test("Region.addMemzone() after publish() is seen by who refreshes, and by who comes later", () => {
  using memory = freshMemory(MIB);
  const host = publish(memory);
  const guest = Region.attach(memory, "r0");
  deepEqual(guest.refresh(), [], "nothing new");
  const added = [1, 4096].map((size, i) => host.addMemzone(`late${i}`, ZONE_KIND.RAW, size, i));
  throws(() => guest.zone("late0", ZONE_KIND.RAW), /there is none of that name/);
  deepEqual(guest.refresh(), added);
  deepEqual(guest.refresh(), [], "they are new once");
  deepEqual(guest.zones, host.zones);
  deepEqual(Region.attach(memory, "r0").zones, host.zones);
  equal(guest.free, host.free);
  deepEqual(guest.zone("late1", ZONE_KIND.RAW), added[1]);
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

Deno.test("Region.refresh() keeps what is known, whatever the directory says of it now", () => {
  using memory = freshMemory(MIB);
  const host = publish(memory);
  const guest = Region.attach(memory, "r0");
  const before = guest.zones;
  memory.u32[DIRECTORY_BYTES / 4 + ENTRY.OFFSET] = ZONES_BYTES + 1024;
  host.addMemzone("late", ZONE_KIND.RAW, 128);
  equal(guest.refresh().length, 1);
  deepEqual(guest.zones[0], before[0]);
});

Deno.test("Region.refresh() refuses a directory that is spoiled, and learns nothing from it", () => {
  using memory = freshMemory(MIB);
  const host = publish(memory);
  const guest = Region.attach(memory, "r0");
  host.addMemzone("late", ZONE_KIND.RAW, 128);
  memory.u32[DIRECTORY_BYTES / 4 + ENTRY.WORDS + ENTRY.SIZE] = MIB;
  throws(
    () => guest.refresh(),
    /^CulvertError: Cannot read the region's directory as memzone late/,
  );
  equal(guest.zones.length, 1);
});

for (const what of ["build", "close"] as const) {
  Deno.test(`Region.refresh() says so when the host has gone, after its ${what}()`, () => {
    using memory = freshMemory(MIB);
    const host = publish(memory);
    const guest = Region.attach(memory, "r0");
    if (what === "close") host.close();
    else Region.build(memory, "r0").addMemzone("other", ZONE_KIND.RAW, 128);
    throws(() => guest.refresh(), {
      name: "CulvertError",
      message: "Cannot read the memzones of region r0 again as its host has gone, or another has " +
        "come: attach again",
    });
    deepEqual(guest.zones.map(({ name }) => name), ["g0"]);
  });
}

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

Deno.test("Region.zone() wants name and kind", () => {
  using memory = freshMemory(MIB);
  const region = publish(memory);
  equal(region.zone("g0", ZONE_KIND.GUEST).size, 384);
  throws(() => region.zone("g1", ZONE_KIND.GUEST), {
    name: "CulvertError",
    message:
      "Cannot find memzone g1 in region r0 as there is none of that name: kind GUEST is wanted",
  });
  throws(() => region.zone("g0", ZONE_KIND.RING), {
    message:
      "Cannot find memzone g0 in region r0 as it is of kind GUEST there: kind RING is wanted",
  });
});

Deno.test("Region.attach() in the moment in which another host begins is refused, for it may have read both", () => {
  using memory = freshMemory(1 << 20);
  Region.build(memory, "r0").publish();
  const load = memory.load.bind(memory);
  for (const word of [HEADER.VERSION, HEADER.ZONE_COUNT]) {
    memory.load = (at) => {
      const value = load(at);
      if (at === word) {
        memory.load = load;
        Region.build(memory, "r0").publish();
      }
      return value;
    };
    throws(() => Region.attach(memory, "r0"), {
      message: /as another host has begun meanwhile: attach again$/,
    });
  }
  equal(Region.attach(memory, "r0").knownEpoch, memory.u32[HEADER.EPOCH]);
});
