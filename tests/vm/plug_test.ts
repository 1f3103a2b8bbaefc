import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import type { RegionPlace } from "../../app/region/region_source.ts";
import { type PciBus, slotFor } from "../../app/vm/pci_slots.ts";
import {
  deviceId,
  plugRegion,
  regionDevices,
  unplugDevice,
  untilMapped,
} from "../../app/vm/plug.ts";
import type { QmpClient } from "../../app/vm/qmp.ts";
import { slot, TinyQemu } from "./tiny_qemu.ts";

const MIB = 1 << 20;

/** PCI Express's own hotplug: a guest that has not switched a slot on need not let go of it. */
const NATIVE = ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"];

/** A file in a QEMU's folder that may be a region to QEMU. */
function regionIn(qemu: TinyQemu, name = "region", bytes = MIB): RegionPlace {
  const path = `${qemu.folder}/${name}`;
  Deno.writeFileSync(path, new Uint8Array(bytes));
  return { path, bytes, vectors: 0 };
}

function plug(qmp: QmpClient, place: RegionPlace, options: { id?: string; bus?: string } = {}) {
  return plugRegion(qmp, "r", place, { id: "culvert-r", doorbell: false, ...options });
}

async function objects(qmp: QmpClient): Promise<string[]> {
  const found = await qmp.execute<{ name: string }[]>("qom-list", { path: "/objects" });
  return found.map(({ name }) => name).filter((name) => name.startsWith("culvert"));
}

Deno.test("deviceId() makes an id of a region's name or path", () => {
  equal(deviceId("culvert0"), "culvert-culvert0");
  equal(deviceId("/dev/shm/a.b-c"), "culvert-a.b-c");
  equal(deviceId("/dev/shm/what a,name"), "culvert-what_a_name");
});

Deno.test("a region is plugged into a slot, and unplugged with all that belongs to it", async () => {
  await using qemu = await TinyQemu.start(...NATIVE, ...slot(1));
  const { qmp } = qemu;
  const place = regionIn(qemu);
  deepEqual((await plug(qmp, place)).bus, "culvert-slot1");
  const [device, ...more] = await regionDevices(qmp);
  deepEqual(more, []);
  deepEqual(device, {
    id: "culvert-r",
    backing: { kind: "object", id: "culvert-r-memory" },
    path: place.path,
  });
  deepEqual(await objects(qmp), ["culvert-r-memory"]);
  equal(await untilMapped(qmp, "culvert-r", 0), undefined, "no firmware has run");

  await unplugDevice(qmp, device, 20_000);
  deepEqual(await regionDevices(qmp), []);
  deepEqual(await objects(qmp), []);
  await plug(qmp, place); // and again
});

Deno.test("regions take one slot each until none is free", async () => {
  await using qemu = await TinyQemu.start(...slot(1), ...slot(2));
  const { qmp } = qemu;
  equal((await plug(qmp, regionIn(qemu, "a"), { id: "a" })).bus, "culvert-slot1");
  equal((await plug(qmp, regionIn(qemu, "b"), { id: "b" })).bus, "culvert-slot2");
  await rejects(plug(qmp, regionIn(qemu, "c"), { id: "c" }), {
    name: "CulvertError",
    message: /^Cannot plug region r as the VM has no free slot: start QEMU with -device pcie-root-/,
  });
  deepEqual((await regionDevices(qmp)).map(({ id }) => id).sort(), ["a", "b"]);
});

Deno.test("plugRegion() undoes its first step if QEMU refuses the second", async () => {
  await using qemu = await TinyQemu.start(...slot(1));
  const { qmp } = qemu;
  const place = regionIn(qemu);
  for (const bus of ["none", "pcie.0"]) {
    await rejects(plug(qmp, place, { bus }), (error: Error) => {
      match(error.message, /^Cannot carry out device_add as QEMU says: Bus '.*' /);
      return true;
    });
    deepEqual(await objects(qmp), [], bus);
  }
  await plug(qmp, place, { bus: "culvert-slot1" });
});

Deno.test("plugRegion() leaves nothing behind if QEMU cannot open the region", async () => {
  await using qemu = await TinyQemu.start(...slot(1));
  const { qmp } = qemu;
  const place = { path: "/nowhere/region", bytes: MIB, vectors: 0 };
  await rejects(plug(qmp, place), /QEMU says: can't open backing store \/nowhere\/region/);
  deepEqual(await objects(qmp), []);
});

Deno.test("plugRegion() refuses an id that is taken, and leaves its device alone", async () => {
  await using qemu = await TinyQemu.start(...slot(1), ...slot(2));
  const { qmp } = qemu;
  await plug(qmp, regionIn(qemu));
  await rejects(plug(qmp, regionIn(qemu, "other")), {
    message: "Cannot plug region r as the VM has a device culvert-r: unplug that first, or " +
      "choose another --id",
  });
  deepEqual((await regionDevices(qmp)).map(({ path }) => path), [`${qemu.folder}/region`]);
});

Deno.test("plugRegion() replaces a memory backend that an unplugged device has left behind", async () => {
  await using qemu = await TinyQemu.start(...slot(1));
  const { qmp } = qemu;
  const { path, bytes } = regionIn(qemu, "old");
  const old = { "qom-type": "memory-backend-file", "mem-path": path, size: bytes, share: true };
  await qmp.execute("object-add", { id: "culvert-r-memory", ...old });
  const place = regionIn(qemu, "new");
  await plug(qmp, place);
  equal((await regionDevices(qmp))[0].path, place.path);
});

Deno.test("plugRegion() with a doorbell wants a server, and undoes its first step too", async () => {
  await using qemu = await TinyQemu.start(...slot(1));
  const { qmp } = qemu;
  const place = regionIn(qemu);
  const asPeer = (place: RegionPlace) =>
    plugRegion(qmp, "r", place, { id: "culvert-r", doorbell: true });
  await rejects(asPeer(place), /Cannot plug region r as no server hands it out: leave out --door/);

  const socket = `${qemu.folder}/server`;
  await rejects(asPeer({ ...place, socket, vectors: 2 }), /QEMU says: .*Failed to connect to/);

  using listener = Deno.listen({ transport: "unix", path: socket });
  const connected = listener.accept().then(async (connection) => {
    await connection.write(new Uint8Array([7, 0, 0, 0, 0, 0, 0, 0])); // no version of the protocol
    return connection;
  });
  const refused = /carry out device_add as QEMU says: server sent version 7, expecting 0/;
  await rejects(asPeer({ ...place, socket, vectors: 2 }), refused);
  (await connected).close();
  const chardevs = await qmp.execute<{ label: string }[]>("query-chardev");
  ok(!chardevs.some(({ label }) => label.startsWith("culvert")), JSON.stringify(chardevs));
});

Deno.test("unplugDevice() says that the guest's kernel does not let go", async () => {
  await using qemu = await TinyQemu.start(...slot(1));
  const { qmp } = qemu;
  await plug(qmp, regionIn(qemu));
  const [device] = await regionDevices(qmp);
  const refused = { message: /^Cannot unplug culvert-r as the guest's kernel has not let go of/ };
  await rejects(unplugDevice(qmp, device, 100), refused);
  await rejects(unplugDevice(qmp, device, 100), refused, "asked a second time");
  equal((await regionDevices(qmp)).length, 1);
});

Deno.test("regionDevices() finds what was there from the start, with an id or without", async () => {
  const backend = (id: string) => ["-object", `memory-backend-memfd,id=${id},size=${MIB},share=on`];
  await using qemu = await TinyQemu.start(
    ...[...backend("m0"), "-device", "ivshmem-plain,memdev=m0"],
    ...[...backend("m1"), "-device", "ivshmem-plain,memdev=m1,id=named"],
  );
  const found = await regionDevices(qemu.qmp);
  deepEqual(found.map(({ id, backing }) => [id, backing.id]), [
    ["named", "m1"],
    ["/machine/peripheral-anon/device[0]", "m0"],
  ]);
  for (const device of found) {
    await rejects(unplugDevice(qemu.qmp, device, 1000), /QEMU says: Bus 'pcie.0' does not support/);
  }
});

/** A root port as `query-pci` shows it, with a window of addresses. */
function port(id: string, base: number, limit: number) {
  return {
    ...{ qdev_id: id, bus: 0, slot: 1, function: 0, regions: [] },
    id: { vendor: 0x1b36, device: 0x000c },
    pci_bridge: { bus: { prefetchable_range: { base, limit } }, devices: [] },
  };
}

function hostBridge(device: number) {
  return { qdev_id: "", bus: 0, slot: 0, function: 0, regions: [], id: { vendor: 0x8086, device } };
}

Deno.test("slotFor() takes a free port with room first, then one that is meant for regions", () => {
  const GIB = 2 ** 30;
  const ports = [
    port("small", 0xfe000000, 0xfe1fffff),
    port("culvert-small", 0xfe200000, 0xfe3fffff),
    port("large", 4 * GIB, 12 * GIB - 1),
    port("culvert-large", 12 * GIB, 20 * GIB - 1),
  ];
  const buses: PciBus[] = [{ bus: 0, devices: [hostBridge(0x29c0), ...ports] }];
  const taken = new Set<string>();
  const order = [];
  for (let found; (found = slotFor(buses, taken, 64 * MIB)); taken.add(found.bus)) {
    order.push(found);
  }
  deepEqual(order, [
    { bus: "culvert-large", hasRoom: true },
    { bus: "large", hasRoom: true },
    { bus: "culvert-small", hasRoom: false },
    { bus: "small", hasRoom: false },
  ]);
});

Deno.test("slotFor() knows that a region's address is a multiple of its size", () => {
  const hasRoom = (base: number, limit: number) =>
    slotFor([{ bus: 0, devices: [port("p", base, limit)] }], new Set(), 64 * MIB)?.hasRoom;
  equal(hasRoom(64 * MIB, 128 * MIB - 1), true);
  equal(hasRoom(65 * MIB, 129 * MIB - 1), false);
  equal(hasRoom(65 * MIB, 192 * MIB - 1), true);
  equal(hasRoom(0, 0), false, "not yet set by the firmware");
});

Deno.test("slotFor() takes the only bus of the machine pc, and no bus of q35", () => {
  const of = (bridge: number) =>
    slotFor([{ bus: 0, devices: [hostBridge(bridge)] }], new Set(), MIB)?.bus;
  equal(of(0x1237), "pci.0");
  equal(of(0x29c0), undefined);
});
