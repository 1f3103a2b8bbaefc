import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { HEADER, REGION_STATE, ZONE_KIND, ZONES_BYTES } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { MIB, publish } from "./published.ts";

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

Deno.test("Region.free is the same for whoever attaches", () => {
  using memory = freshMemory(MIB);
  const region = publish(memory);
  equal(Region.attach(memory, "r0").free, region.free);
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
