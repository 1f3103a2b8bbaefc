import { deepEqual, equal, ok, rejects, throws } from "node:assert/strict";
import {
  addMempool,
  addMemzone,
  addRing,
  attachMempool,
  attachMemzone,
  attachRegion,
  attachRing,
  hostRegion,
} from "../app/api.ts";
import { HEADER } from "../app/memory/layout.ts";
import { Burst } from "../app/ring/burst.ts";
import { burstOf } from "./kit/burst_of.ts";
import { until } from "./kit/wait.ts";

const MIB = 1 << 20;

let made = 0;

/** Whether a path is there. */
function exists(path: string): boolean {
  return [...Deno.readDirSync("/tmp")].some(({ name }) => path === `/tmp/${name}`);
}

/** A path that no other test uses. */
function newPath(): string {
  return `/tmp/culvert-api-test-${Deno.pid}-${made++}`;
}

Deno.test("a process hosts 40 regions and attaches to all of them, each for itself", async () => {
  using stack = new DisposableStack();
  const paths = Array.from({ length: 40 }, newPath);
  const hosts = [];
  for (const [i, path] of paths.entries()) {
    const { region } = stack.use(await hostRegion(path, MIB));
    addMemzone(region, "number", 4, ({ u32 }) => u32[0] = i);
    const ring = addRing(region, "ring", 8, { kind: "spsc" });
    const { pool } = addMempool(region, "pool", { count: 1 + i, dataRoom: 64 });
    region.publish();
    hosts.push({ region, ring, pool });
  }
  const guests = paths.map((path) => {
    const { region } = stack.use(attachRegion(path));
    const ring = attachRing(region, "ring", { kind: "spsc" });
    return { region, ring, pool: attachMempool(region, "pool").pool };
  });
  for (const [i, { ring }] of hosts.entries()) {
    equal(ring.enqueueBulk(burstOf([i, 1000 + i]), 1), 1);
  }
  const burst = Burst.of(8);
  for (const [i, { region, ring, pool }] of guests.entries()) {
    equal(attachMemzone(region, "number").load(0), i);
    equal(ring.dequeueBurst(burst, 8), 1);
    deepEqual([...burst.words.subarray(0, 2)], [i, 1000 + i]);
    equal(pool.allocBurst(burst, 1), 1);
    equal(pool.available, i);
    equal(hosts[i].pool.available, i);
  }
  stack.dispose();
  deepEqual(paths.filter(exists), []);
});

Deno.test("hostRegion() shows that it is alive while the event loop runs, and that it is gone", async () => {
  const path = newPath();
  using host = await hostRegion(path, MIB);
  host.region.publish();
  using guest = attachRegion(path);
  const { region } = guest;
  const { epoch, heartbeat } = region;
  await until(() => region.heartbeat !== heartbeat, "the heart beats");
  equal(region.epoch, epoch);
  host.close();
  ok(region.epoch !== epoch);
  throws(() => region.refresh(), /its host has gone/);
  host.close(); // once more does nothing
  equal(exists(path), true, "the guest has it mapped");
  guest.close();
  (await hostRegion(path)).close();
  equal(exists(path), false, "the next host removes it");
});

Deno.test("hostRegion() refuses what another hosts, and a size that is none", async () => {
  const path = newPath();
  using _host = await hostRegion(path, MIB);
  await rejects(hostRegion(path, MIB), {
    name: "CulvertError",
    message: /^Cannot host region .* as another host has it/,
  });
  await rejects(hostRegion(newPath(), 3 * MIB), { name: "CulvertError", message: /powers of two/ });
});

Deno.test("attachRegion() refuses what is not there, and what is not yet published", async () => {
  const path = newPath();
  throws(() => attachRegion(path), {
    name: "CulvertError",
    message:
      `Cannot attach to region ${path} as there is none: start its host first, or name another`,
  });
  using host = await hostRegion(path, MIB);
  throws(() => attachRegion(path), /as it is half-built/);
  host.region.publish();
  attachRegion(path).close();
});

Deno.test("attachRegion() leaves nothing mapped when it fails", async () => {
  const path = newPath();
  using host = await hostRegion(path, MIB);
  host.region.publish();
  host.region.memory.u32[HEADER.LAYOUT_HASH] ^= 1;
  // A process has 256 maps: these would use them up.
  for (let i = 0; i < 300; i++) throws(() => attachRegion(path), /as its layout's hash is/);
});
