import { deepEqual, equal, throws } from "node:assert/strict";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import {
  DIRECTORY_BYTES,
  ENTRY,
  hashText,
  HEADER,
  LAYOUT_HASH,
  LAYOUT_VERSION,
  ZONE_KIND,
  ZONES_BYTES,
  ZONES_MAX,
} from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { MIB, publish } from "./published.ts";

/** Publish a region, spoil it, and see with which words a guest is refused. */
function refused(spoil: (memory: MappedMemory) => void, message: string): void {
  using memory = freshMemory(MIB);
  publish(memory);
  Region.attach(memory, "r0"); // or the test would show nothing
  spoil(memory);
  throws(() => Region.attach(memory, "r0"), { name: "CulvertError", message });
}

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
    message: "Cannot attach to region r0 as it is half-built: " +
      "its host is still building it, or died; start the host again",
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
    "Cannot attach to region r0 as it is half-built: its host is still building it, or died; " +
      "start the host again",
  );
});

for (const version of [LAYOUT_VERSION + 1, 0xffffffff]) {
  Deno.test(`Region.attach() refuses layout version ${version}`, () => {
    refused(
      (memory) => memory.u32[HEADER.VERSION] = version,
      `Cannot attach to region r0 as its layout version is ${version}: ` +
        `this build reads version ${LAYOUT_VERSION}; run the host's build; a VM has to boot again`,
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
