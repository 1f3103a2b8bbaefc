/**
 * Who is the host of a region that has a server: one at a time, and no peer can keep that one out.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Peer } from "../../app/ivshmem/peer.ts";
import { ServerStarter } from "../../app/region/server_starter.ts";
import { makeMemory } from "../../app/ivshmem/served_memory.ts";
import { HEADER, MAGIC, REGION_STATE } from "../../app/memory/layout.ts";
import { socketPath } from "../../app/memory/region_name.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { exists, Lab, waitUntil } from "../kit/lab.ts";

const SMALL = ["--port", "null", "--size", "4M", "--mbufs", "256"];

Deno.test("A peer that has locked a region's memory keeps no host out", async () => {
  await using lab = await Lab.open();
  const first = await lab.startHost(SMALL);
  const peer = Peer.connect(socketPath(lab.region))!;
  try {
    await first.stop("SIGKILL");
    assert(await waitUntil(() => shim.shim_file_lock(peer.memoryFd) === 0), "nobody could lock it");
    const next = await lab.startHost(SMALL);
    await lab.stopHost(next);
  } finally {
    peer.close();
  }
  await lab.nothingLeft();
});

Deno.test("Hosts of one region keep each other out, by its name and by its server's path", async () => {
  await using lab = await Lab.open();
  const file = `/run/culvert/${lab.region}.lock`;
  const host = await lab.startHost(SMALL);
  const { mode, uid } = Deno.lstatSync(file);
  assert.deepEqual([mode! & 0o777, uid], [0o600, 0]);
  const paths = ["/run", "/var/run"].map((run) => `${run}/culvert/${lab.region}.sock`);
  for (const region of [lab.region, ...paths]) {
    const { code, stderr } = await lab.host([...SMALL, "--region", region]).ended();
    assert.equal(code, 1, stderr);
    assert.match(stderr, /^culvert: Cannot host region \S+ as another host has it: /m);
  }
  assert(exists(file));
  await lab.stopHost(host);
  await lab.nothingLeft(); // the lock neither
});

Deno.test("A ServerStarter has the memory open once it is made, and serves it when asked", async () => {
  await using lab = await Lab.open();
  const socket = socketPath(lab.newRegion());
  const bytes = 1 << 20;
  const { fd, close } = makeMemory({ kind: "memfd" }, "test", bytes);
  const memory = MappedMemory.ofFile(fd, bytes, "test");
  memory.u32[HEADER.MAGIC_0] = MAGIC[0]; // a host is at work there, or the server would end at once
  memory.u32[HEADER.STATE] = REGION_STATE.READY;
  const account = {};
  const replacement = { socket, memoryFd: fd, bytes, vectors: 1, account };
  const starter = await withSlowShell(() => ServerStarter.prepare(replacement));
  close();
  starter!.start(7);
  let peer: Peer | undefined;
  assert(await waitUntil(() => (peer = Peer.connect(socket)) !== undefined), "no server came");
  assert.equal(peer!.id, 7);
  assert.equal(peer!.bytes, bytes);
  memory.u32[HEADER.STATE] = REGION_STATE.CLOSED;
  peer!.close();
  starter!.close();
  memory.close();
  await lab.nothingLeft();
});

/** Do something while every shell that is started takes its time, as on a busy machine. */
async function withSlowShell<Result>(work: () => Promise<Result>): Promise<Result> {
  const folder = await Deno.makeTempDir({ prefix: "culvert-slow-" });
  const before = Deno.env.get("PATH")!;
  const script = '#!/bin/sh\nsleep 0.3\nexec /bin/sh "$@"\n';
  await Deno.writeTextFile(`${folder}/sh`, script, { mode: 0o755 });
  Deno.env.set("PATH", `${folder}:${before}`);
  try {
    return await work();
  } finally {
    Deno.env.set("PATH", before);
    await Deno.remove(folder, { recursive: true });
  }
}
