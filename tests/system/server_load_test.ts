/**
 * `culvert server` with more members, or fewer descriptors, than it can serve at once.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Peer } from "../../app/ivshmem/peer.ts";
import { MEMORY, NO_FD, receiveMessage } from "../../app/ivshmem/protocol.ts";
import { socketPath } from "../../app/memory/region_name.ts";
import { check } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { QemuClient } from "../ivshmem/qemu_client.ts";
import { ScriptedServer } from "../ivshmem/scripted_server.ts";
import { exists, Lab, pause, type Running } from "../kit/lab.ts";
import { cpuMilliseconds, descriptorsOf } from "../kit/processes.ts";
import { serve } from "./server_process.ts";

Deno.test("culvert server keeps all peers while too many descriptors are under way, and passes them later", async () => {
  await using lab = await Lab.open();
  // As many descriptors may be under way for a user without capabilities as a process may have
  // open.
  const limit = ["prlimit", "--nofile=64:64"];
  const args = ["-F", "-S", lab.region, "-l", "1M"];
  await lab.culvert("server", args, { under: limit }).stderrLine(/ is ready: /);
  const path = socketPath(lab.region);
  const first = Peer.connect(path)!;
  using others = new ScriptedServer();
  for (let i = 0; i < 100; i++) others.saysVector(0);
  const second = check(shim.shim_unix_connect(cString(path), 1000), "connect");
  await pause(500);
  const heard = [1, 2, 3].map(() => receiveMessage(second));
  assert.deepEqual(heard, [{ value: 0, fd: NO_FD }, { value: 1, fd: NO_FD }, "nothing"]);
  assert.deepEqual(first.poll(), []);
  assert(first.isConnected);
  shim.shim_fd_close(others.client);
  await pause(500);
  const memory = receiveMessage(second);
  assert(typeof memory !== "string" && memory.value === MEMORY && memory.fd !== NO_FD, `${memory}`);
  assert.deepEqual(first.poll(), [{ kind: "joined", id: 1 }]);
  for (const fd of [memory.fd, second]) shim.shim_fd_close(fd);
  first.close();
});

const SILENT = 1500;

Deno.test("culvert server greets a newcomer at once beside 1,500 members that read nothing", async () => {
  await using lab = await Lab.open();
  const path = socketPath(lab.region);
  const args = ["-F", "-S", lab.region, "-l", "1M", "-n", "1"];
  const under = ["prlimit", "--nofile=20000:20000"]; // descriptors under way count against it
  const server = lab.culvert("server", args, { under });
  await server.stderrLine(/ is ready: /);
  const silent: number[] = [];
  try {
    const start = cpuMilliseconds(server.pid);
    while (silent.length < SILENT) {
      silent.push(check(shim.shim_unix_connect(cString(path), 5000), "connect"));
    }
    const used = cpuMilliseconds(server.pid) - start;
    assert(used < SILENT, `a join cost ${used / SILENT} ms of the server's time`);
    const times = Array.from({ length: 3 }, () => {
      const start = performance.now();
      const peer = Peer.connect(path, 1)!;
      const took = performance.now() - start;
      assert.deepEqual([peer.others.size, peer.vectors.length], [SILENT, 1]);
      peer.close();
      return took;
    });
    assert(Math.min(...times) < 1000, `they took ${times} ms`); // others may have the core at times
  } finally {
    for (const socket of silent) shim.shim_fd_close(socket);
  }
  assert.equal((await server.stop()).code, 0);
});

Deno.test("culvert server survives 10,000 connects and disconnects, and leaks nothing", async () => {
  await using lab = await Lab.open();
  const path = socketPath(lab.region);
  const server = lab.culvert("server", ["-F", "-S", lab.region, "-l", "1M", "-n", "4"]);
  await server.stderrLine(/ is ready: /);
  const descriptors = () => descriptorsOf(server.pid);
  using watcher = new QemuClient(path);
  await watcher.greeted();
  const before = descriptors();
  for (let i = 0; i < 10_000; i += 50) {
    const some = Array.from({ length: 50 }, () => new QemuClient(path));
    if (i % 200 === 0) await some[49].greeted();
    for (const client of some) client.close();
    watcher.take();
  }
  using last = new QemuClient(path);
  await last.greeted();
  assert.equal(last.id, 10_001, "each had an id of its own");
  await watcher.knows([10_001], 4);
  last.close();
  await watcher.knows([], 4);
  assert.equal(descriptors(), before);
  const { code, stderr } = await server.stop();
  assert.deepEqual([code, stderr.split("\n").length], [0, 3], stderr); // ready, and still root
});

/** That it uses little time of a core; in the first seconds it may have others to greet. */
async function assertRests(server: Running): Promise<void> {
  const shares: number[] = [];
  do {
    const [start, before] = [performance.now(), cpuMilliseconds(server.pid)];
    await pause(1000);
    shares.push((cpuMilliseconds(server.pid) - before) / (performance.now() - start));
  } while (shares.at(-1)! >= 0.3 && shares.length < 5);
  assert(shares.at(-1)! < 0.3, `it used ${shares} of a core`);
}

Deno.test("culvert server out of descriptors neither spins nor ends, and goes on when it has some", async () => {
  await using lab = await Lab.open();
  const path = socketPath(lab.region);
  const limit = ["prlimit", "--nofile=60:60"];
  const server = lab.culvert("server", ["-F", "-S", lab.region, "-l", "1M"], { under: limit });
  await server.stderrLine(/ is ready: /);
  const clients = Array.from({ length: 60 }, () => new QemuClient(path));
  try {
    await server.stderrLine(
      /Cannot (accept a connection|make an eventfd) as the kernel says EMFILE/,
    );
    await assertRests(server);
  } finally {
    for (const client of clients) client.close();
  }
  using after = new QemuClient(path);
  await after.greeted();
  assert.equal((await server.stop()).code, 0);
});

Deno.test("culvert server does not spin while too many descriptors are under way", async () => {
  await using lab = await Lab.open();
  const [crowd, path] = [lab.name("crowd"), socketPath(lab.region)];
  const silent: number[] = [];
  const join = (path: string) =>
    silent.push(check(shim.shim_unix_connect(cString(path), 5000), "connect"));
  const other = lab.culvert("server", ["-F", "-S", crowd, "-l", "1M", "-n", "8"]);
  await other.stderrLine(/ is ready: /);
  const under = ["prlimit", "--nofile=60:60"]; // as many may be under way, those of others too
  const server = lab.culvert("server", ["-F", "-S", lab.region, "-l", "1M", "-n", "1"], { under });
  await server.stderrLine(/ is ready: /);
  try {
    for (let i = 0; i < 20; i++) join(socketPath(crowd)); // with 9 descriptors each
    for (let i = 0; i < 12; i++, await pause(7)) join(path);
    await assertRests(server);
  } finally {
    for (const socket of silent) shim.shim_fd_close(socket);
  }
  using after = new QemuClient(path);
  await after.greeted();
  assert.deepEqual([(await server.stop()).code, (await other.stop()).code], [0, 0]);
});

Deno.test("culvert server ends well while clients come and go", async () => {
  await using lab = await Lab.open();
  const path = socketPath(lab.region);
  const server = await serve(lab, ["-n", "8"]);
  const clients: QemuClient[] = [];
  let ended: Promise<{ code: number; stderr: string }> | undefined;
  for (let i = 0; i < 400 && exists(path); i++) {
    if (i === 200) ended = server.stop("SIGTERM");
    try {
      clients.push(new QemuClient(path));
    } catch { /* it has just ended */ }
    if (i % 3 === 0) clients.shift()?.close();
    if (i % 20 === 0) await pause(1);
  }
  for (const client of clients) client.close();
  const { code, stderr } = await ended!;
  assert.equal(code, 0, stderr);
  assert.match(stderr, /ends: \d+ joined, \d+ left \(0 stalled, 0 talked: 0 bytes/);
});
