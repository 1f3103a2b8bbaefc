/**
 * `culvert server` and `culvert client` as processes, with the permissions of their tasks.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { hostRegionMemory } from "../../app/region/hosted_memory.ts";
import { Peer } from "../../app/ivshmem/peer.ts";
import { MEMORY, NO_FD, receiveMessage } from "../../app/ivshmem/protocol.ts";
import { locateRegion, openRegion } from "../../app/region/region_source.ts";
import { socketPath } from "../../app/memory/region_name.ts";
import { Region } from "../../app/memory/region.ts";
import { check } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { QemuClient } from "../ivshmem/qemu_client.ts";
import { ScriptedServer } from "../ivshmem/scripted_server.ts";
import { HugeFolder } from "../kit/huge_folder.ts";
import { exists, Lab, pause, type Running, until } from "../kit/lab.ts";
import { cpuMilliseconds, descriptorsOf, isThere, statOf } from "../kit/processes.ts";

const MIB = 2 ** 20;

/** A server in the foreground, ready for peers. */
async function serve(lab: Lab, args: string[] = []): Promise<Running> {
  const server = lab.culvert("server", ["-F", "-v", "-S", lab.region, "-l", "1M", ...args]);
  await server.stderrLine(/ is ready: /);
  return server;
}

function client(lab: Lab, ...commands: string[]): Running {
  const args = commands.flatMap((command) => ["-c", command]);
  return lab.culvert("client", ["-v", "-S", lab.region, ...args]);
}

Deno.test("culvert server hands out a region; SIGTERM and SIGINT end it, and leave nothing", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    await using lab = await Lab.open();
    const pidfile = `/run/culvert/${lab.region}.pid`;
    const server = await serve(lab, ["-n", "2", "-p", pidfile]);
    assert.equal(Deno.readTextFileSync(pidfile), `${server.pid}\n`);
    const ended = await client(lab, "dump").ended();
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(
      ended.stdout,
      /^we are peer 0: 1048576 bytes, 2 vectors, peers none, server process /,
    );
    await server.stderrLine(/peer 0 joined: process \d+, user 0, group 0/);
    await server.stderrLine(/peer 0 left/);
    const { code, stderr } = await server.stop(signal);
    assert.equal(code, 0, stderr);
    assert.deepEqual([exists(socketPath(lab.region)), exists(pidfile)], [false, false]);
  }
});

Deno.test("culvert client waits for an interrupt that another one sends, each a process", async () => {
  await using lab = await Lab.open();
  await serve(lab, ["-n", "2"]);
  const waiting = client(lab, "wait 1 20", "dump");
  await waiting.stdoutLine(/^we are peer 0/);
  const sender = await client(lab, "int 0 1").ended();
  assert.equal(sender.code, 0, sender.stderr);
  const { code, stdout } = await waiting.ended();
  assert.equal(code, 0);
  assert.match(stdout, /^peer 1 joined\ninterrupt 1\n/m);
  const late = await client(lab, "wait any 0.05").ended();
  assert.deepEqual([late.code, /failed: no interrupt/.test(late.stdout)], [1, true]);
});

Deno.test("culvert client takes its commands from stdin, to its end or the first failure", async () => {
  await using lab = await Lab.open();
  await serve(lab);
  for (const [line, code] of [["dump;quit", 0], ["int 9 0", 1]] as [string, number][]) {
    const running = client(lab);
    await running.stdoutLine(/^we are/);
    await running.write(line);
    assert.equal((await running.ended()).code, code, line);
  }
  await lab.run(
    "sh",
    "-c",
    `echo dump | ${Deno.execPath()} run -A app/main.ts client -S ${lab.region}`,
  );
});

Deno.test("culvert client says that no server listens", async () => {
  await using lab = await Lab.open();
  const { code, stderr } = await client(lab, "dump").ended();
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^culvert: Cannot connect to .*sock as no server listens there: start `culvert/,
  );
});

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

Deno.test("culvert server rounds sizes up to powers of two, and says so", async () => {
  await using lab = await Lab.open();
  const server = lab.culvert("server", ["-F", "-S", lab.region, "-l", "5M"]);
  await server.stderrLine(/-l 5242880 is rounded up to 8388608 bytes, a power of two/);
  await server.stderrLine(/ is ready: 8 MiB, a sealed memfd, 1 vector$/);
  const peer = Peer.connect(socketPath(lab.region))!;
  assert.equal(peer.bytes, 8 * MIB);
  peer.close();
});

Deno.test("culvert server goes on as a daemon once it is ready, and holds nothing of its starter's", async () => {
  await using lab = await Lab.open();
  const pidfile = `/run/culvert/${lab.region}.pid`;
  const started = lab.culvert("server", ["-S", lab.region, "-l", "1M", "-p", pidfile]);
  const { code, stdout, stderr } = await started.ended(); // its stdout and stderr are at an end too
  assert.equal(code, 0, stderr);
  const pid = Number(stdout);
  try {
    assert.equal(Deno.readTextFileSync(pidfile), `${pid}\n`);
    assert.equal(statOf(pid)?.session, pid, "a session of its own");
    assert.equal(Deno.readLinkSync(`/proc/${pid}/cwd`), "/");
    assert.equal((await client(lab, "dump").ended()).code, 0);
    const second = await lab.culvert("server", ["-S", lab.region]).ended();
    assert.equal(second.code, 1);
    assert.match(second.stderr, /Cannot listen at .* as another server answers there/);
  } finally {
    Deno.kill(pid, "SIGTERM");
  }
  await until(() => !isThere(pid));
  assert.deepEqual([exists(socketPath(lab.region)), exists(pidfile)], [false, false]);
});

Deno.test("culvert server takes the place of one that was killed", async () => {
  await using lab = await Lab.open();
  const first = await serve(lab);
  await first.stop("SIGKILL");
  assert(exists(socketPath(lab.region)));
  const second = await serve(lab);
  const third = await lab.culvert("server", ["-F", "-S", lab.region]).ended();
  assert.equal(third.code, 1);
  assert.match(third.stderr, /as another server answers there: stop that one/);
  assert.equal((await second.stop()).code, 0);
});

Deno.test("culvert server -M uses a POSIX object: made and removed, or found and left", async () => {
  await using lab = await Lab.open();
  const path = lab.newPath();
  const name = path.slice("/dev/shm/".length);
  const first = await serve(lab, ["-M", name]);
  assert.equal(Deno.statSync(path).size, MIB);
  await first.stop();
  assert.equal(exists(path), false);
  Deno.writeFileSync(path, new Uint8Array(2 * MIB));
  const wrong = await lab.culvert("server", ["-F", "-S", lab.region, "-M", name, "-l", "1M"])
    .ended();
  assert.match(
    wrong.stderr,
    /has 2097152 bytes where 1048576 are wanted: use -l 2097152, or remove/,
  );
  await (await serve(lab, ["-M", name, "-l", "2M"])).stop();
  assert.equal(Deno.statSync(path).size, 2 * MIB);
});

Deno.test("culvert server -m uses a file on hugetlbfs, as large as its pages", async () => {
  await using lab = await Lab.open();
  await using huge = await HugeFolder.mount(lab);
  const permissions = `/run/culvert,${huge.path}`;
  const server = lab.start(
    ...[Deno.execPath(), "run", "--allow-ffi", `--allow-write=${permissions}`],
    ...[`--allow-read=${permissions}`, "app/main.ts", "server"],
    ...["-F", "-S", lab.region, "-m", huge.path, "-l", "1M"],
  );
  await server.stderrLine(/ is ready: 2 MiB, a file in \/dev\/hugepages\//);
  assert.deepEqual(huge.files, []);
  const opened = openRegion(lab.region)!;
  opened.memory.u32[MIB / 4] = 7;
  assert.equal(opened.memory.bytes, 2 * MIB);
  opened.close();
  assert.equal((await server.stop()).code, 0);
});

Deno.test("culvert server -F listens wherever its user may, as at QEMU's own default", async () => {
  await using lab = await Lab.open();
  const folder = await Deno.makeTempDir({ prefix: "culvert-server-" });
  const path = `${folder}/ivshmem_socket`;
  try {
    const server = lab.culvert("server", ["-F", "-S", path, "-p", `${folder}/pid`, "-l", "1M"]);
    await server.stderrLine(/ is ready: /);
    Peer.connect(path)!.close();
    assert.equal((await server.stop()).code, 0);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
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

Deno.test("culvert server --until-unused ends when the last peer leaves a region at rest", async () => {
  await using lab = await Lab.open();
  const server = await serve(lab, ["--until-unused"]);
  const opened = openRegion(lab.region)!;
  const region = Region.build(opened.memory, lab.region);
  region.publish();
  opened.close();
  await server.stderrLine(/peer 0 left/);
  await pause(300);
  const again = openRegion(lab.region)!; // a host died in it: it is still there
  Region.attach(again.memory, lab.region).close();
  again.close();
  assert.equal((await server.ended()).code, 0);
  assert.equal(exists(socketPath(lab.region)), false);
});

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
