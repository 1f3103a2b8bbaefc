/**
 * `culvert server` and `culvert client` as processes, with the permissions of their tasks.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Peer } from "../../app/ivshmem/peer.ts";
import { openRegion } from "../../app/region/region_source.ts";
import { socketPath } from "../../app/memory/region_name.ts";
import { Region } from "../../app/memory/region.ts";
import { HugeFolder } from "../kit/huge_folder.ts";
import { exists, Lab, pause, type Running, until } from "../kit/lab.ts";
import { isThere, statOf } from "../kit/processes.ts";
import { serve } from "./server_process.ts";

const MIB = 2 ** 20;

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
  assert.match(stdout, /^peer 1 joined\n(peer 1 left\n)?interrupt 1\n/m);
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
