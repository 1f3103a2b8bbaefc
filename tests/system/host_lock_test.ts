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
import { exists, Lab, until } from "../kit/lab.ts";
import { childrenOf } from "../kit/processes.ts";

const SMALL = ["--port", "null", "--size", "4M", "--mbufs", "256"];

Deno.test("A peer that has locked a region's memory keeps no host out", async () => {
  await using lab = await Lab.open();
  const first = await lab.startHost(SMALL);
  const peer = Peer.connect(socketPath(lab.region))!;
  try {
    await first.stop("SIGKILL");
    await until(() => shim.shim_file_lock(peer.memoryFd) === 0, "the lock is free");
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

Deno.test("A ServerStarter has the memory served that it is given, by a process that is nobody's child", async () => {
  await using lab = await Lab.open();
  const socket = socketPath(lab.newRegion());
  const bytes = 1 << 20;
  const { fd, close } = makeMemory({ kind: "memfd" }, "test", bytes);
  const memory = MappedMemory.ofFile(fd, bytes, "test");
  memory.u32[HEADER.MAGIC_0] = MAGIC[0]; // a host is at work there, or the server would end at once
  memory.u32[HEADER.STATE] = REGION_STATE.READY;
  const options = { memory: { kind: "memfd" }, bytes: 2 * bytes, vectors: 1 } as const;
  const starter = new ServerStarter({ ...options, socket, untilUnused: true });
  starter.begin({ fd, vectors: 3, firstId: 7 });
  close();
  const isReady = () => starter.news() !== "starting";
  await until(isReady, "a server comes");
  const { pid } = starter.news() as { pid: number };
  starter.close();
  const peer = Peer.connect(socket, 3)!;
  assert.deepEqual([peer.id, peer.bytes, peer.vectors.length], [7, bytes, 3]);
  assert.equal(peer.server.pid, pid);
  assert(!childrenOf(Deno.pid).some((child) => child.pid === pid));
  memory.u32[HEADER.STATE] = REGION_STATE.CLOSED;
  peer.close();
  memory.close();
  await lab.nothingLeft();
});
