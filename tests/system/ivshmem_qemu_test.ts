/**
 * `culvert server` with QEMU's own ivshmem-doorbell as a peer: all messages and interrupts.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Peer } from "../../app/ivshmem/peer.ts";
import { locateRegion, openRegion } from "../../app/region/region_source.ts";
import { shim } from "../../ffi/shim.ts";
import { socketPath } from "../../app/memory/region_name.ts";
import { QemuDevice } from "./ivshmem_qemu.ts";
import { Lab, type Running, until, waitUntil } from "../kit/lab.ts";

async function serve(lab: Lab, vectors: number): Promise<Running> {
  const server = lab.culvert("server", [
    ...["-F", "-v", "-S", lab.region, "-l", "1M", "-n", `${vectors}`],
  ]);
  await server.stderrLine(/ is ready: /);
  return server;
}

Deno.test("QEMU joins, is listed, rings, is rung, and leaves", async () => {
  await using lab = await Lab.open();
  const server = await serve(lab, 2);
  const opened = openRegion(lab.region)!;
  const peer = opened.peer!;
  const qemu = await QemuDevice.start(lab, socketPath(lab.region), 2);
  assert.equal(await qemu.id(), 1);
  await server.stderrLine(/peer 1 joined: process \d+, user 0/);
  assert.deepEqual(peer.poll(), [{ kind: "joined", id: 1 }]);
  assert.equal(peer.others.get(1)!.length, 2);

  opened.memory.u32[5] = 0xabcd;
  assert.equal(await qemu.word(5), 0xabcd);
  await qemu.setWord(6, 0x1234);
  assert.equal(opened.memory.load(6), 0x1234);

  await qemu.ring(0, 1);
  assert.deepEqual(peer.vectors.map((fd) => shim.shim_eventfd_drain(fd)), [0, 1]);
  await qemu.ring(0, 0);
  await qemu.ring(0, 2); // neither vector nor peer exists: ignored
  await qemu.ring(7, 0);
  assert.deepEqual(peer.vectors.map((fd) => shim.shim_eventfd_drain(fd)), [1, 0]);

  await qemu.enableInterrupts();
  assert.equal(await qemu.pending(), 0);
  assert(peer.ring(1, 1));
  assert(await waitUntil(async () => await qemu.pending() === 2), "vector 1 is pending");
  assert(peer.ring(1, 0));
  assert(await waitUntil(async () => await qemu.pending() === 3), "vector 0 too");

  const ended = await qemu.running.stop("SIGTERM");
  await server.stderrLine(/peer 1 left/);
  const [left] = peer.poll();
  assert.deepEqual([left.kind, ended.stderr], ["left", ""]);
  opened.close();
});

Deno.test("QEMU hears of peers that come and go, also of more than it made room for", async () => {
  await using lab = await Lab.open();
  await serve(lab, 1);
  const path = socketPath(lab.region);
  const qemu = await QemuDevice.start(lab, path, 1);
  assert.equal(await qemu.id(), 0);
  for (let id = 1; id < 40; id++) { // QEMU makes room for 16 peers at first
    const peer = Peer.connect(path)!;
    assert.equal(peer.id, id);
    const isNotified = async () => {
      await qemu.ring(id, 0);
      return shim.shim_eventfd_drain(peer.vectors[0]) > 0;
    };
    await until(isNotified, () => `QEMU reaches peer ${id}`);
    peer.close();
  }
  assert.equal((await qemu.running.stop("SIGTERM")).stderr, "");
});

Deno.test("QEMU lives on when the server is killed, and rings and is rung as before", async () => {
  await using lab = await Lab.open();
  const server = await serve(lab, 1);
  const peer = Peer.connect(socketPath(lab.region))!;
  const qemu = await QemuDevice.start(lab, socketPath(lab.region), 1);
  await qemu.enableInterrupts();
  await server.stderrLine(/peer 1 joined/);
  await until(() => (peer.poll(), peer.others.has(1)));
  await server.stop("SIGKILL");
  assert.deepEqual(peer.poll().map(({ kind }) => kind), ["server-gone"]);
  await qemu.ring(0, 0);
  assert.equal(shim.shim_eventfd_drain(peer.vectors[0]), 1);
  assert(peer.ring(1, 0));
  assert(await waitUntil(async () => await qemu.pending() === 1));
  assert.equal((await qemu.running.stop("SIGTERM")).code, 0);
  peer.close();
});

Deno.test("QEMU with fewer or more vectors than the server gives takes what fits", async () => {
  await using lab = await Lab.open();
  await serve(lab, 2);
  const path = socketPath(lab.region);
  const more = await QemuDevice.start(lab, path, 4);
  const fewer = await QemuDevice.start(lab, path, 1);
  const ids = [await more.id(), await fewer.id()];
  assert.deepEqual(ids, [0, 1]);
  await fewer.enableInterrupts();
  assert(
    await waitUntil(async () => {
      await more.ring(1, 0);
      return await fewer.pending() === 1;
    }),
  );
  const ended = await fewer.running.stop("SIGTERM");
  assert.match(ended.stderr, /Too many eventfd received, device has 1 vectors/); // QEMU says so
  assert.equal((await more.running.stop("SIGTERM")).code, 0);
});

Deno.test("QEMU takes a region as memory backend by the path that locateRegion() finds", async () => {
  await using lab = await Lab.open();
  await serve(lab, 0);
  const opened = openRegion(lab.region)!;
  const { path, bytes, vectors } = locateRegion(lab.region);
  assert.equal(vectors, 0);
  const qemu = lab.start(
    ...["qemu-system-x86_64", "-machine", "pc", "-accel", "tcg", "-S", "-m", "64"],
    ...["-display", "none", "-nodefaults", "-qtest", "stdio", "-qtest-log", "none"],
    ...["-object", `memory-backend-file,id=m,share=on,mem-path=${path},size=${bytes}`],
    ...["-device", "ivshmem-plain,memdev=m,addr=04.0"],
  );
  opened.memory.u32[7] = 0x77;
  for (const line of ["outl 0xcf8 0x80002018", "outl 0xcfc 0xe0000000"]) await qemu.write(line);
  for (const line of ["outl 0xcf8 0x80002004", "outl 0xcfc 0x2"]) await qemu.write(line);
  await qemu.write("readl 0xe000001c");
  await qemu.stdoutLine(/^OK 0x0*77$/);
  assert.equal((await qemu.stop("SIGTERM")).stderr, "");
  opened.close();
});
