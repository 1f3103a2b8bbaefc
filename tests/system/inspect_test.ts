/**
 * `culvert inspect` on regions of this machine: what it says, and that nobody notices.
 *
 * @module
 */
import assert from "node:assert/strict";
import { sealedMemfd } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import type { RegionReport } from "../../app/inspect/region_report.ts";
import { HEADER, MAGIC } from "../../app/memory/layout.ts";
import { Lab, type Running, testFrame, waitUntil } from "../kit/lab.ts";

/** Look at a region once. */
async function inspect(lab: Lab, ...args: string[]): Promise<RegionReport & { source: string }> {
  const { code, stdout, stderr } = await lab.culvert("inspect", [...args, "--json"]).ended();
  assert.equal(code, 0, stderr);
  assert.equal(stderr, "");
  return JSON.parse(stdout);
}

/** How a process has a region mapped: `r--s`. */
function accessOf({ pid }: Running, name: string): string[] {
  const lines = Deno.readTextFileSync(`/proc/${pid}/maps`).split("\n");
  return lines.filter((line) => line.includes(name)).map((line) => line.split(" ")[1]);
}

Deno.test("culvert inspect shows a host and a guest at work, and they do not notice", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const running = await lab.forwarding(pair);
  const { host, guest, wires } = running;
  const frame = testFrame(100);
  await wires.a.send(frame, 50);
  await wires.b.arrived((found) => found === frame, 50);
  const said = host.stderr + guest.stderr;

  let report = await inspect(lab, lab.region);
  await waitUntil(async () => {
    report = await inspect(lab, lab.region);
    return report.channels[0]?.counters.rx === 50;
  });
  assert.deepEqual(report.problems, []);
  assert.deepEqual(report.zones.filter(({ problem }) => problem !== null), []);
  assert.equal(report.host?.state, "READY");
  assert.equal(report.host.isAlive, true);
  assert.deepEqual(report.guests.map(({ name, state, isAlive }) => [name, state, isAlive]), [
    ["g0", "RUNNING", true],
  ]);
  const [a, b] = report.channels;
  assert.deepEqual([a.portName, b.portName], [pair.a.outer, pair.b.outer]);
  assert.deepEqual([a.counters.rx, a.counters.tx, b.counters.rx, b.counters.tx], [50, 0, 0, 50]);
  const rings = new Map(report.rings.map((ring) => [ring.name, ring]));
  assert.equal(rings.get(`${a.name}.rx`)?.producer, 50);
  assert.equal(rings.get(`${b.name}.tx`)?.consumer, 50);

  const watching = lab.culvert("inspect", [lab.region, "--watch", "1"]);
  await watching.stdoutLine(/^region at /);
  assert.deepEqual(accessOf(watching, `memfd:culvert-${lab.region}`), ["r--s"]);
  await watching.stdoutLine(/host +READY, alive/);
  await watching.stdoutLine(/g0 +RUNNING, alive/);
  await watching.stdoutLine(/port: received 50, sent 0, dropped 0/);
  await watching.stdoutLine(/^region at /); // once more
  assert.equal((await watching.stop()).code, 0);

  assert.equal(host.stderr + guest.stderr, said, "nobody noticed");
  await lab.finish(running);
});

Deno.test("culvert inspect shows whether a host has died or has closed its region", async () => {
  await using lab = await Lab.open();
  const path = lab.newPath();
  Deno.writeFileSync(path, new Uint8Array(4 << 20), { mode: 0o600 }); // so that no host removes it
  const start = async () => {
    const host = await lab.startHost([
      "--port",
      "ring:a",
      "--region",
      path,
      "--size",
      "4M",
      "--mbufs",
      "256",
    ]);
    return host;
  };
  const first = await start();
  assert.equal((await inspect(lab, path)).host?.isAlive, true);
  first.kill("SIGKILL");
  await first.ended();
  const dead = await inspect(lab, path);
  assert.deepEqual([dead.host?.state, dead.host?.isAlive, dead.problems], ["READY", false, []]);
  const second = await start();
  assert.equal((await second.stop()).code, 0);
  const closed = await inspect(lab, path);
  assert.deepEqual([closed.host?.state, closed.host?.epoch], ["CLOSED", 3]);
  const { stdout } = await lab.culvert("inspect", [path]).ended();
  assert.match(stdout, /^ {2}host {4}CLOSED, epoch 3/m);
});

Deno.test("culvert inspect finds a region by name in whatever process has it, and asks if there are two", async () => {
  await using lab = await Lab.open();
  const name = lab.newRegion();
  const first = sealedMemfd(`culvert-${name}`, 1 << 20);
  try {
    const report = await inspect(lab, name);
    assert.equal(report.source, `/proc/${Deno.pid}/fd/${first}`);
    assert.deepEqual(report.problems, ["blank: no host has begun it"]);
    const second = sealedMemfd(`culvert-${name}`, 1 << 20);
    try {
      const { code, stderr } = await lab.culvert("inspect", [name]).ended();
      assert.equal(code, 1);
      const fds = [first, second].sort((a, b) => a - b); // other tests open and close, too
      const paths = fds.map((fd) => `/proc/${Deno.pid}/fd/${fd}`).join(" or ");
      assert.match(stderr, new RegExp(`there are 2 of that name: use ${paths}`));
      assert.equal((await inspect(lab, `/proc/${Deno.pid}/fd/${second}`)).isRegion, false);
    } finally {
      shim.shim_fd_close(second);
    }
  } finally {
    shim.shim_fd_close(first);
  }
});

Deno.test("culvert inspect takes the region whose server listens, if a VM still has an older one", async () => {
  await using lab = await Lab.open();
  const old = sealedMemfd(`culvert-${lab.region}`, 2 << 20); // this process is found first, or last
  const host = await lab.startHost(["--port", "null", "--size", "4M", "--mbufs", "256"]);
  const older = sealedMemfd(`culvert-${lab.region}`, 2 << 20);
  try {
    const report = await inspect(lab, lab.region);
    assert.equal(report.host?.state, "READY");
    assert.equal(report.host.isAlive, true);
  } finally {
    shim.shim_fd_close(old);
    shim.shim_fd_close(older);
  }
  await lab.finishHost(host);
});

Deno.test("culvert inspect describes files that are no sound region, and goes on living", async () => {
  await using lab = await Lab.open();
  const path = lab.newPath();
  const random = crypto.getRandomValues(new Uint32Array(16384));
  const withMagic = Uint32Array.from(random);
  withMagic.set(MAGIC);
  withMagic[HEADER.VERSION] = 1;
  for (
    const [words, bytes, problem] of [
      [random, 65536, /^no region: /],
      [random, 5000, /^no region: /],
      [withMagic, 65536, /^of layout version 1, this build reads \d+: /],
      [new Uint32Array(1024), 4096, /^blank: /],
    ] as [Uint32Array, number, RegExp][]
  ) {
    Deno.writeFileSync(path, new Uint8Array(words.buffer, 0, bytes));
    const report = await inspect(lab, path);
    assert.match(report.problems[0], problem);
    assert.equal(report.bytes, bytes - bytes % 4096);
  }
});

Deno.test("culvert inspect says what it cannot look at, and why", async () => {
  await using lab = await Lab.open();
  const path = lab.newPath();
  const refuses = async (args: string[], status: number, said: RegExp) => {
    const { code, stderr, stdout } = await lab.culvert("inspect", args).ended();
    assert.equal(code, status, stderr);
    assert.match(stderr, said);
    assert.equal(stdout, "");
  };
  Deno.writeTextFileSync(path, "a few bytes");
  await refuses([path], 1, /has 11 bytes: a region's header alone has 4096/);
  await refuses([`${path}.none`], 1, /Cannot inspect .*ENOENT: there is no such file/);
  await refuses(["/dev/shm"], 1, /is no file: name a region's memory/);
  await refuses(["/dev/zero"], 1, /is no file: name a region's memory/);
  await refuses([lab.name("none")], 1, /Cannot find region none.* no process .*: there are /);
  await refuses(["--pci", "auto"], 1, /no ivshmem device/);
  Deno.removeSync(path);
  await lab.run("mkfifo", path);
  await refuses([path], 1, /is no file/);
  Deno.removeSync(path);
  using _socket = Deno.listen({ transport: "unix", path });
  await refuses([path], 1, /is a server's socket.*: name the region, or its memory/);
  await refuses([], 2, /Cannot inspect nothing: name one region/);
  await refuses(["a", "b"], 2, /Cannot use "b" as culvert inspect takes no more than REGION/);
  await refuses(["a", "--pci", "auto"], 2, /Cannot inspect a, --pci auto: /);
  await refuses(["a/../b c"], 1, /Cannot inspect/);
  await refuses(["a b"], 2, /is no name/);
  await refuses(["a", "--watch", "0"], 2, /--watch 0 .* from 1 to/);
  await refuses(["a", "--colour"], 2, /--colour/);
});
