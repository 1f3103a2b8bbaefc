import { deepEqual, equal, throws } from "node:assert/strict";
import { DIRECTORY_BYTES, ENTRY, ZONE_KIND, ZONES_BYTES } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { MIB, publish } from "./published.ts";

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
