/**
 * A host finds or makes the memory of its region: with a server beside it, or in a file.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { hostRegionMemory } from "../../app/region/hosted_memory.ts";
import { locateRegion, openRegion } from "../../app/region/region_source.ts";
import { socketPath } from "../../app/memory/region_name.ts";
import { Region } from "../../app/memory/region.ts";
import { shim } from "../../ffi/shim.ts";
import { QemuClient } from "../ivshmem/qemu_client.ts";
import { exists, Lab, type Running, until } from "../kit/lab.ts";
import { isThere } from "../kit/processes.ts";
import { serve } from "./server_process.ts";

const MIB = 2 ** 20;

/** A host of a region in a process of its own: what it prints, until it is told to end. */
function hostProcess(lab: Lab, ...args: string[]): Running {
  const program = fileURLToPath(new URL("ivshmem_host.ts", import.meta.url));
  return lab.start(Deno.execPath(), "run", "-A", program, ...args);
}

Deno.test("a host starts a server beside itself, which goes when the host does", async () => {
  await using lab = await Lab.open();
  const host = hostProcess(lab, lab.region);
  const [, pid] = /server (\d+)/.exec(await host.stdoutLine(/^hosting/))!;
  assert.notEqual(Number(pid), host.pid);
  assert(isThere(Number(pid)));
  const { path, bytes, socket, vectors } = locateRegion(lab.region);
  assert.match(path, new RegExp(`^/proc/${pid}/fd/\\d+$`));
  assert.deepEqual([bytes, socket, vectors], [64 * MIB, socketPath(lab.region), 3]);
  const opened = openRegion(lab.region)!;
  assert.equal(Region.attach(opened.memory, lab.region).epoch, 1);
  await host.write("end");
  assert.equal((await host.ended()).code, 0);
  assert(isThere(Number(pid)), "a guest is still there");
  opened.close();
  await until(() => !isThere(Number(pid)));
  await lab.nothingLeft();
});

Deno.test("a server outlives the host that started it, and the next host goes on with the region", async () => {
  await using lab = await Lab.open();
  const host = hostProcess(lab, lab.region);
  const [, pid] = /server (\d+)/.exec(await host.stdoutLine(/^hosting/))!;
  await host.stop("SIGKILL");
  assert(isThere(Number(pid)));
  const next = hostProcess(lab, lab.region);
  const line = await next.stdoutLine(/^hosting/);
  assert.match(line, new RegExp(`epoch 2.* server ${pid}$`));
  await next.write("end");
  assert.equal((await next.ended()).code, 0);
  await until(() => !isThere(Number(pid)));
});

Deno.test("A server whose stderr is closed goes on after it has logged an error", async () => {
  await using lab = await Lab.open();
  const host = hostProcess(lab, lab.region); // it has closed the server's stderr
  await host.stdoutLine(/^hosting/);
  for (let i = 0; i < 3; i++) {
    using rude = new QemuClient(socketPath(lab.region));
    await rude.greeted();
    assert.equal(shim.shim_unix_send(rude.socket, 1n, -1), 0);
    await rude.reads(() => rude.isLost, "it is cut off");
  }
  openRegion(lab.region)!.close();
  await host.write("end");
  assert.equal((await host.ended()).code, 0);
  await until(() => lab.leftovers().length === 0);
});

Deno.test("of hosts that start at once, one gets the region; the others are told that it has", async () => {
  await using lab = await Lab.open();
  const hosts = Array.from({ length: 4 }, () => hostProcess(lab, lab.region));
  const isSettled = () => hosts.every(({ stdout, stderr }) => stdout !== "" || stderr !== "");
  await until(isSettled);
  const winners = hosts.filter(({ stdout }) => stdout !== "");
  assert.equal(winners.length, 1, hosts.map(({ stderr }) => stderr).join());
  for (const loser of hosts.filter((host) => host !== winners[0])) {
    const { code, stderr } = await loser.ended();
    assert.equal(code, 1);
    assert.match(stderr, /^Cannot host region \S+ as another host has it: stop that one/);
  }
  await winners[0].write("end");
  assert.equal((await winners[0].ended()).code, 0);
  await until(() => lab.leftovers().length === 0);
});

Deno.test("a host takes the size that its region has, and refuses to want another", async () => {
  await using lab = await Lab.open();
  const server = await serve(lab);
  const message = new RegExp(
    `^Cannot host region ${lab.region} as it has 1048576 bytes where 2097152 are wanted: use --size 1048576`,
  );
  await assert.rejects(() => hostRegionMemory(lab.region, 2 * MIB, 1), {
    name: "CulvertError",
    message,
  });
  const hosted = await hostRegionMemory(socketPath(lab.region), undefined, 1); // by path, too
  assert.equal(hosted.memory.bytes, MIB);
  await assert.rejects(() => hostRegionMemory(lab.region, undefined, 1), /another host has it/);
  hosted.close();
  hosted.close();
  assert.equal((await server.stop()).code, 0);
});

Deno.test("a host by a server's path finds the region again, whatever a guest has written there", async () => {
  await using lab = await Lab.open();
  const server = await serve(lab);
  const path = socketPath(lab.region);
  const guest = openRegion(path)!;
  guest.memory.u32[0] = 0xdead;
  await assert.rejects(() => hostRegionMemory(path, undefined, 1), /as it holds something else/);
  guest.memory.u32[0] = 0;
  const first = await hostRegionMemory(path, undefined, 1);
  guest.memory.u32[0] = 0xdead;
  first.close();
  const second = await hostRegionMemory(path, undefined, 1);
  assert.equal(second.memory.u32[0], 0xdead);
  second.close();
  guest.close();
  assert.equal((await server.stop()).code, 0);
});

Deno.test("a host keeps a region in a file: made and removed, or found and left, and locked", async () => {
  await using lab = await Lab.open();
  const path = lab.newPath();
  assert.equal(openRegion(path), undefined);
  const hosted = await hostRegionMemory(path, MIB, 1);
  assert.deepEqual([hosted.path, hosted.peer], [path, undefined]);
  assert.deepEqual(locateRegion(path), { path, bytes: MIB, vectors: 0 });
  await assert.rejects(() => hostRegionMemory(path, undefined, 1), /another host has it/);
  const opened = openRegion(path)!;
  opened.memory.u32[9] = 7;
  assert.equal(hosted.memory.u32[9], 7);
  opened.close();
  hosted.close();
  assert.equal(exists(path), false);
  Deno.writeFileSync(path, new Uint8Array(2 * MIB));
  await assert.rejects(() => hostRegionMemory(path, MIB, 1), /has 2097152 bytes where 1048576 are/);
  (await hostRegionMemory(path, undefined, 1)).close();
  assert.equal(Deno.statSync(path).size, 2 * MIB);
  Deno.writeFileSync(path, new Uint8Array(2 * MIB).fill(1));
  await assert.rejects(() => hostRegionMemory(path, undefined, 1), /as it holds something else/);
});
