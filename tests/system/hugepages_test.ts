/**
 * Regions on hugetlbfs. The tests add pages to the system's while they run, and mount the file
 * system below /dev/hugepages, where `deno task host` may write.
 *
 * @module
 */
import assert from "node:assert/strict";
import { HugeFolder, pageSizes } from "../kit/huge_folder.ts";
import { Lab, testFrame } from "../kit/lab.ts";

for (const [size, ...rest] of [["64M"], ["2M", "--mbufs", "128", "--ring-size", "64"]]) {
  Deno.test(`Host and guest forward through a region of ${size} on hugepages, which is gone in the end`, async () => {
    await using lab = await Lab.open();
    await using folder = await HugeFolder.mount(lab);
    const region = `${folder.path}/region`;
    const pair = await lab.namespacePair({ quiet: true });
    const running = await lab.forwarding(pair, {
      host: ["--region", region, "--size", size, ...rest],
      guest: ["--region", region],
    });
    await lab.flows(running.wires);
    const frames = [60, 61, 1000, 1514].map((bytes, seed) => testFrame(bytes, { seed }));
    for (const frame of frames) {
      await running.wires.a.send(frame, 10);
      await running.wires.b.arrived((found) => found === frame, 10);
    }
    assert.deepEqual(pageSizes(running.host.pid, region), [2048], "the host's mapping");
    assert.deepEqual(pageSizes(running.guest.pid, region), [2048], "the guest's mapping");
    await lab.finish(running);
    assert.deepEqual(folder.files, []);
  });
}

Deno.test("A host on hugepages names what to do if there are too few, or if its size fits none", async () => {
  await using lab = await Lab.open();
  await using folder = await HugeFolder.mount(lab);
  const region = `${folder.path}/region`;
  for (
    const [size, said] of [
      ["128M", /Cannot get 134217728 bytes for .* ENOSPC: .*raise vm\.nr_hugepages/],
      ["1M", /Cannot get 1048576 bytes for .* EINVAL: .*multiple of the page size; use --size 2M/],
    ] as [string, RegExp][]
  ) {
    const { code, stderr } = await lab.host([
      "--port",
      "null:0",
      "--region",
      region,
      "--size",
      size,
    ])
      .ended();
    assert.match(stderr, said);
    assert.equal(code, 1, "no signal ended it");
    assert.deepEqual(folder.files, []);
  }
});
