/**
 * What users do wrong as they start a guest, and regions that are not sound: each time one clear
 * line and the right exit status. A guest that is early waits.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { DIRECTORY_BYTES, ENTRY, HEADER } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { openRegion } from "../../app/region/region_source.ts";
import { Lab, packetPorts, testFrame } from "../kit/lab.ts";
import { assertRefused, FAILURE, USAGE } from "./refused.ts";

/** A region file of 1 MiB that a host has published, except for what `spoil` does. */
function regionFile(lab: Lab, spoil: (memory: MappedMemory, region: Region) => void): string {
  const path = lab.newPath();
  Deno.writeFileSync(path, new Uint8Array(1 << 20));
  const memory = openRegion(path)!.memory;
  const region = Region.build(memory, path);
  region.publish();
  spoil(memory, region);
  memory.close();
  return path;
}

Deno.test("culvert guest refuses masks and maps that do not fit the host's ports", async () => {
  await using lab = await Lab.open();
  const host = await lab.startHost(["--port", "ring:a", "--port", "ring:b"]);
  for (
    const [args, why] of [
      ["-p 0", /-p 0 .*2 ports.*1 to 3/],
      ["-p 4", /-p 4 .*1 to 3/],
      ["-p xyz", /hexadecimal/],
      ["--portmap 0-1", /--portmap 0-1 .*\(0,1\)\(2,3\)/],
      ["--portmap (0,2)", /port 2 is not enabled/],
      ["--portmap (0,1)(1,0)", /port [01] is in two pairs/],
      ["-p 1 --portmap (0,1)", /port 1 is not enabled/],
      ["-l 0 -q 1", /2 ports.*-q 1 allows 1 cores/],
    ] as const
  ) {
    assertRefused(await lab.guest(args.split(" ")).ended(), USAGE, why);
    await host.stderrLine(/guest 0 detached/);
  }
  const guest = await lab.startGuest();
  assert.equal((await guest.stop()).code, 0);
  await lab.stopHost(host);
});

Deno.test("A second culvert guest is told that the place is taken", async () => {
  await using lab = await Lab.open();
  const host = await lab.startHost(["--port", "ring"]);
  const first = await lab.startGuest();
  const second = lab.guest();
  const third = lab.guest(["--guest", "1"]);
  assertRefused(await second.ended(), FAILURE, /guest 0 is there already \(RUNNING, own pid \d+/);
  assertRefused(
    await third.ended(),
    FAILURE,
    /as guest 1 as it has no place for that guest: it has places for 0;/,
  );
  assert.equal((await first.stop()).code, 0);
  assert.equal((await host.stop()).code, 0);
});

Deno.test("culvert guest refuses a region that is not sound, and says why", async () => {
  await using lab = await Lab.open();
  const spoilt: [why: RegExp, spoil: (memory: MappedMemory, region: Region) => void][] = [
    [/magic/, ({ u32 }) => u32[HEADER.MAGIC_1]++],
    [/layout version is 7: this build reads/, ({ u32 }) => u32[HEADER.VERSION] = 7],
    [/half-built/, (memory, region) => Region.build(memory, region.name)],
    [/layout's hash is .*: this build's is .*same build/, ({ u32 }) => u32[HEADER.LAYOUT_HASH]++],
    [/1048576 bytes where its header says 2097152/, ({ u32 }) => u32[HEADER.PAGES] = 512],
    [/host has closed it/, (_, region) => region.close()],
    [/no place for that guest: it has places for none/, () => {}],
    [/./, ({ u32 }) => u32[HEADER.ZONE_COUNT] = 0xffffffff],
    [/./, (memory, region) => {
      region.addMemzone("far", 5, 128);
      memory.u32[DIRECTORY_BYTES / 4 + ENTRY.OFFSET] = 0x7fffffff;
    }],
  ];
  const guests = spoilt.map(([why, spoil]) => ({
    why,
    guest: lab.guest(["--region", regionFile(lab, spoil)]),
  }));
  for (const { why, guest } of guests) assertRefused(await guest.ended(), FAILURE, why);
});

Deno.test("culvert guest refuses a region file that is too small, or no file", async () => {
  await using lab = await Lab.open();
  const path = lab.newPath();
  Deno.writeFileSync(path, new Uint8Array(4096));
  await Promise.all([
    lab.guest(["--region", path]).ended().then((e) => assertRefused(e, FAILURE, /4096 bytes/)),
    lab.guest(["--region", "/dev/shm"]).ended().then((e) => assertRefused(e, FAILURE, /EISDIR/)),
  ]);
});

Deno.test("culvert guest waits for a PCI device to be plugged in, if that can be one", async () => {
  await using lab = await Lab.open();
  for (const address of ["auto", "0000:7f:1f.7"]) {
    const guest = lab.culvert("guest", ["--pci", address]);
    await guest.stderrLine(new RegExp(`waiting for ivshmem device ${address}`));
    assert.equal((await guest.stop()).code, 0);
  }
  const guest = lab.culvert("guest", ["--pci", "nowhere"]);
  assertRefused(await guest.ended(), USAGE, /--pci nowhere.*0000:00:04\.0/);
});

Deno.test("culvert guest started first waits, says so, and forwards once the host comes", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  for (const region of [lab.region, lab.newPath()]) {
    const guest = lab.guest(["--region", region, "--no-mac-updating"]);
    await guest.stderrLine(/waiting for a host of region/);
    const ports = packetPorts(pair.a, pair.b);
    const host = lab.host([...ports, "--region", region]);
    await guest.stderrLine(/forwarding/);
    const wires = await lab.wires(pair);
    const frame = testFrame(60);
    await wires.a.send(frame);
    assert.equal((await wires.b.arrived((found) => found === frame)).length, 1);
    assert.equal((await guest.stop()).code, 0);
    await lab.stopHost(host);
  }
});

Deno.test("culvert guest that waits for a host can be interrupted", async () => {
  await using lab = await Lab.open();
  const closed = regionFile(lab, (_, region) => region.close());
  for (const region of [lab.region, closed]) {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const guest = lab.guest(["--region", region]);
      await guest.stderrLine(/waiting for (a|the) host/);
      const { code, stderr } = await guest.stop(signal);
      assert.equal(code, 0, stderr);
      assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
    }
  }
});
