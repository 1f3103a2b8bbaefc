import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { findChannel } from "../../app/channel/channel.ts";
import { GuestState } from "../../app/channel/guest_state.ts";
import { type LaidOutRegion, layOut, regionBytesFor, strideFor } from "../../app/host/lay_out.ts";
import { HEADROOM_BYTES, MBUF_STRIDE_BYTES, ZONE_KIND } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { Mbufs } from "../../app/mempool/mbuf.ts";
import { frameMaxOf } from "../../app/port/kernel_port.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import type { OpenedPort } from "../../app/port/open_port.ts";
import { openedPort, placed } from "./test_ports.ts";

const MIB = 1 << 20;
const PORTS = [openedPort("tap0", 1), openedPort("eth1", 2), openedPort("null:64", 3)];
const GUESTS = [{ number: 0, ports: PORTS }];

/** Lay out region `r0`. */
function layOutFor(
  memory: MappedMemory,
  { mtu = 1500, ...plan }: { mbufs?: number; ringSize: number; mtu?: number },
  guests: readonly { number: number; ports: readonly OpenedPort[] }[] = GUESTS,
): LaidOutRegion {
  const options = {
    name: "r0",
    ...plan,
    guests: guests.map(({ number }) => ({ number, ports: [] })),
  };
  return layOut(memory, options, { mtu, burst: 32 }, guests.map(({ ports }) => placed(ports)));
}

Deno.test("frameMaxOf() has room for an Ethernet header and two VLAN tags beside the MTU", () => {
  equal(frameMaxOf(1500), 1522);
  equal(frameMaxOf(9000), 9022);
});

Deno.test("strideFor() is the default for an MTU of 1500, and as much as it needs for 9000", () => {
  equal(strideFor(frameMaxOf(1500)), MBUF_STRIDE_BYTES);
  equal(strideFor(frameMaxOf(9000)), 143 * 64);
});

Deno.test("strideFor() holds headroom and frame, in an odd number of cache lines, for every MTU", () => {
  for (let mtu = 68; mtu <= 9216; mtu++) {
    const frameMax = frameMaxOf(mtu);
    const stride = strideFor(frameMax);
    ok(stride >= HEADROOM_BYTES + frameMax && stride >= MBUF_STRIDE_BYTES, `MTU ${mtu}`);
    equal(stride % 128, 64, `MTU ${mtu}`);
    const least = Math.max(MBUF_STRIDE_BYTES, HEADROOM_BYTES + frameMax);
    ok(stride < least + 128, `MTU ${mtu}: no more than it needs`);
  }
});

for (const mtu of [1500, 9000]) {
  Deno.test(`layOut() for an MTU of ${mtu} tells guests all that they need to know`, () => {
    using memory = freshMemory(2 * MIB);
    const laidOut = layOutFor(memory, { mbufs: 100, mtu, ringSize: 64 });
    laidOut.region.publish();
    const region = Region.attach(memory, "r0");
    equal(laidOut.frameMax, mtu + 22);
    equal(GuestState.attach(region, 0).channels, 3);
    PORTS.forEach(({ setup, mac }, port) => {
      const found = findChannel(region, 0, port);
      const { frameMax, guests: [{ places }] } = laidOut;
      deepEqual(found, { portName: setup.name, mac, frameMax, queues: 1, place: places[port] });
      equal(found.place.ringSize, 64);
    });
    const { offset, size, parameter } = region.zone("mbufs", ZONE_KIND.MBUFS);
    deepEqual(laidOut.geometry, { offset, stride: parameter, count: size / parameter, long: 0 });
    equal(laidOut.geometry.count, 100);
    equal(laidOut.geometry.stride, mtu === 1500 ? 2368 : 9152);
    equal(new Mbufs(memory, laidOut.geometry).count, 100, "the shim agrees that they fit");
  });
}

Deno.test("layOut() begins a region that guests are refused from until it is published", () => {
  using memory = freshMemory(MIB);
  layOutFor(memory, { mbufs: 100, mtu: 1500, ringSize: 64 });
  throws(() => Region.attach(memory, "r0"), { message: /as it is half-built: / });
});

for (const mtu of [1500, 9000]) {
  Deno.test(`layOut() for an MTU of ${mtu} refuses one mbuf more than fit, and says how many do`, () => {
    using memory = freshMemory(MIB);
    const plan = { mtu, ringSize: 64 };
    const stride = mtu === 1500 ? 2368 : 9152;
    const { region, geometry } = layOutFor(memory, { ...plan, mbufs: 64 });
    const most = Math.floor((MIB - geometry.offset) / stride);
    ok(region.free > 0 && most > 64);
    throws(() => layOutFor(memory, { ...plan, mbufs: most + 1 }), {
      name: "CulvertError",
      message: `Cannot put ${most + 1} mbufs of ${stride} bytes into region r0 as ${most} fit: ` +
        `use --mbufs ${most}, or a larger --size`,
    });
    equal(layOutFor(memory, { ...plan, mbufs: most }).geometry.count, most);
  });
}

Deno.test("layOut() without a number of mbufs takes 8192, or as many as fit", () => {
  using small = freshMemory(MIB);
  const { region, geometry } = layOutFor(small, { mtu: 9000, ringSize: 64 });
  ok(region.free < geometry.stride && geometry.count > 64);
  using large = freshMemory(32 * MIB);
  equal(layOutFor(large, { mtu: 1500, ringSize: 64 }).geometry.count, 8192);
});

for (
  const [mtu, ringSize, mbufs, wanted] of [
    [1500, 1024, undefined, 64],
    [9000, 1024, undefined, 128],
    [9000, 1024, 1000, 64],
    [1500, 1024, 100_000, 256],
    [1500, 2 ** 20, undefined, 64],
    [1500, 2 ** 21, undefined, 128],
  ]
) {
  Deno.test(`regionBytesFor() MTU ${mtu}, ${mbufs ?? "no"} mbufs, rings of ${ringSize} is ${wanted} MiB`, () => {
    const guests = [{ number: 0, ports: [{ kind: "null" as const, name: "" }] }];
    const options = { name: "r0", mbufs, ringSize: ringSize!, guests };
    equal(regionBytesFor(options, mtu!), wanted! * MIB);
    if (wanted! > 128 || ringSize! > 1024) return;
    using memory = freshMemory(wanted! * MIB);
    equal(layOutFor(memory, { mbufs, mtu, ringSize: ringSize! }).geometry.count, mbufs ?? 8192);
  });
}

Deno.test("layOut() refuses fewer mbufs than idle ports keep, and says how many it takes", () => {
  using memory = freshMemory(MIB);
  const ports = ["p0", "p1", "p2", "p3"].map((name) => {
    const setup = { kind: "tap", name, index: 1, fd: -1, mtu: 1500, created: false } as const;
    return { ...openedPort(name), setup };
  });
  const plan = (mbufs: number) =>
    layOutFor(memory, { mbufs, ringSize: 64 }, [{ number: 0, ports }]);
  throws(() => plan(159), {
    message: "Cannot forward between the ports of region r0 with 159 mbufs as 160 are needed, 32 " +
      "for each port and a burst: use --mbufs 160 or more",
  });
  equal(plan(160).geometry.count, 160);
});

Deno.test("layOut() refuses rings that the region has no room for", () => {
  using memory = freshMemory(MIB);
  throws(() => layOutFor(memory, { mbufs: 64, mtu: 1500, ringSize: 2 ** 16 }), {
    name: "CulvertError",
    message: /^Cannot add memzone g0\.p0\.tx to region r0 as it needs 524544 bytes where /,
  });
});

Deno.test("layOut() in memory that had a host before raises the epoch, and resets the guest's place", () => {
  using memory = freshMemory(MIB);
  const plan = { mbufs: 64, mtu: 1500, ringSize: 64 };
  const first = layOutFor(memory, plan);
  const [{ state }] = first.guests;
  state.claim({ pid: 4711, wantsMbufs: true });
  state.retire();
  const second = layOutFor(memory, plan);
  equal(second.region.epoch, 2);
  equal(second.guests[0].state.pid, 0);
  equal(second.guests[0].state.incarnation, 0);
  equal(second.guests[0].state.isVacant(second.guests[0].state.word), true);
  deepEqual(second.guests[0].places, first.guests[0].places);
});

Deno.test("layOut() gives each guest a place and channels of its own, by its number", () => {
  using memory = freshMemory(2 * MIB);
  const guests = [{ number: 5, ports: PORTS }, { number: 0, ports: PORTS.slice(2) }];
  const laidOut = layOutFor(memory, { mbufs: 100, mtu: 1500, ringSize: 64 }, guests);
  laidOut.region.publish();
  const region = Region.attach(memory, "r0");
  guests.forEach(({ number, ports }, i) => {
    equal(laidOut.guests[i].number, number);
    equal(GuestState.attach(region, number).channels, ports.length);
    ports.forEach(({ setup }, port) => {
      const { portName, place } = findChannel(region, number, port);
      equal(portName, setup.name);
      deepEqual(place, laidOut.guests[i].places[port]);
    });
  });
  throws(() => findChannel(region, 0, 1), { message: /memzone g0\.p1 / });
  throws(() => GuestState.attach(region, 1), {
    message: /no place for that guest: it has places for 5, 0; /,
  });
});

Deno.test("layOut() refuses more guests and ports than the directory has entries for", () => {
  using memory = freshMemory(2 * MIB);
  const guests = Array.from({ length: 43 }, (_, number) => ({ number, ports: [PORTS[0]] }));
  const plan = { mbufs: 64, mtu: 1500, ringSize: 2 };
  equal(layOutFor(memory, plan, guests.slice(1)).guests.length, 42);
  throws(() => layOutFor(memory, plan, guests), {
    name: "CulvertError",
    message: /the directory is full: 256 memzones fit; use fewer ports or guests$/,
  });
});
