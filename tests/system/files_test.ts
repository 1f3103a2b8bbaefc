import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import config from "../../deno.json" with { type: "json" };
import { givePath, SAME } from "../../app/linux/owner.ts";
import { exists, Lab, testFrame } from "../kit/lab.ts";

const SMALL = ["--size", "4M", "--mbufs", "256"];

/** The permissions of `deno task host`. */
const [, ...HOST_FLAGS] = config.tasks.host.command.replace(" app/main.ts host", "").split(" ");

for (const bytes of [4096, 3 << 20, 0]) {
  Deno.test(`A host whose file is cut to ${bytes} bytes under traffic says so, and ends in order`, async () => {
    await using lab = await Lab.open();
    const pair = await lab.namespacePair({ quiet: true });
    await lab.run("ip", "link", "set", pair.b.outer, "down");
    const path = lab.newPath();
    const tap = lab.name("t");
    const region = ["--region", path];
    const { host, guest, wires } = await lab.forwarding(pair, {
      host: ["--port", `tap:${tap}`, ...region, ...SMALL],
      guest: region,
    });
    await lab.flows(wires);
    await using _traffic = wires.a.traffic(testFrame(1000));
    await Deno.truncate(path, bytes);
    const { code, stderr } = await host.ended();
    assert.equal(code, 1, stderr);
    const [line, ...others] = stderr.split("\n").filter((line) => line.includes("Cannot"));
    assert.match(line, /^culvert: Cannot go on with region .* as its file was cut short: /);
    assert.deepEqual(others, []);
    assert.equal(await lab.link(tap), undefined);
    const { flags, promiscuity } = (await lab.link(pair.b.outer))!;
    assert.deepEqual([flags.includes("UP"), promiscuity], [false, 0]);
    await lab.nothingLeft();
    const ended = await guest.stop();
    assert(ended.code <= 1, ended.stderr); // 135 were SIGBUS; 1: the file is too short
  });
}

Deno.test("A host whose server has its memory in a file that is cut says so, too", async () => {
  await using lab = await Lab.open();
  const path = lab.newPath();
  const socket = `/run/culvert/${lab.region}.sock`;
  const memory = ["-M", path.slice("/dev/shm/".length), "-l", "4M", "-n", "4"];
  const server = lab.culvert("server", ["-F", "-S", lab.region, ...memory]);
  await server.stderrLine(/is ready/);
  const host = await lab.startHost(["--port", "null", "--region", socket, "--mbufs", "256"]);
  await Deno.truncate(path, 8192);
  const { code, stderr } = await host.ended();
  assert.equal(code, 1, stderr);
  assert.match(stderr, /^culvert: Cannot go on with region .* as its file was cut short: /m);
  assert.equal((await server.stop()).code, 0, server.stderr);
  await lab.nothingLeft();
});

Deno.test("A host of a file that is replaced says so, goes on, and leaves the other one there", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const region = ["--region", lab.newPath()];
  const running = await lab.forwarding(pair, { host: [...region, ...SMALL], guest: region });
  const [, path] = region;
  await Deno.writeTextFile(`${path}.new`, "x".repeat(4 << 20));
  await Deno.rename(`${path}.new`, path);
  await running.host.stderrLine(/the file of region .* was removed or replaced: nobody can join/);
  await lab.flows(running.wires);
  const late = await lab.guest(region).ended();
  assert.equal(late.code, 1, late.stderr);
  assert.match(late.stderr, /^culvert: Cannot /m);
  assert.equal((await running.guest.stop()).code, 0);
  await lab.stopHost(running.host);
  assert(exists(path), "the host has removed a file that is not its own");
  assert.equal(running.host.stderr.match(/replaced/g)?.length, 1);
});

Deno.test("givePath() follows no symbolic link", async () => {
  await using lab = await Lab.open();
  const [file, link] = [lab.newPath(), lab.newPath()];
  await Deno.writeTextFile(file, "", { mode: 0o600 });
  await Deno.symlink(file, link);
  assert.throws(() => givePath(link, { uid: SAME, gid: SAME, mode: 0o666 }), /Cannot give/);
  assert.equal(Deno.statSync(file).mode! & 0o777, 0o600);
});

Deno.test("A region by name cannot be cut short, not even by root", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const running = await lab.forwarding(pair, { host: SMALL });
  const folder = `/proc/${running.host.pid}/fd`;
  const found = [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`)
    .filter((path) => exists(path) && Deno.readLinkSync(path).startsWith("/memfd:culvert-"));
  assert(found.length > 0);
  for (const bytes of [0, 4096, 8 << 20]) {
    const { code, stderr } = await lab.tryRun("truncate", "-s", `${bytes}`, found[0]);
    assert.equal(code, 1);
    assert.match(stderr, /Operation not permitted/);
  }
  assert.equal(Deno.statSync(found[0]).mode! & 0o777, 0o600);
  await lab.flows(running.wires);
  await lab.finish(running);
});

Deno.test("A host gives up all that Deno permits, its lcores' Workers too", async () => {
  await using lab = await Lab.open();
  const probe = fileURLToPath(new URL("permissions_probe.ts", import.meta.url));
  const { stdout } = await lab.run(Deno.execPath(), ...HOST_FLAGS, probe);
  const { before, after, worker } = JSON.parse(stdout);
  assert.deepEqual(before, ["ffi", "import", "read", "write"]);
  assert.deepEqual(after, []);
  assert.deepEqual(worker, []);
});

/** Run a host where /run is empty and its own; `prepare` is a shell's. */
function hostInOwnRun(lab: Lab, prepare: string, ...args: string[]) {
  const script = `mount -t tmpfs run /run && ${prepare} && exec "$@"`;
  const under = ["unshare", "--mount", "sh", "-c", script, "sh"];
  const words = ["--port", "null", "--region", lab.region, ...SMALL, ...args];
  return lab.culvert("host", words, { under });
}

for (
  const [prepare, args, mode] of [
    ["true", [], 0o700],
    ["true", ["--group", "daemon"], 0o711],
    ["mkdir -m 750 /run/culvert", ["--user", "nobody"], 0o751],
    ["mkdir -m 755 /run/culvert", [], 0o755],
  ] as const
) {
  Deno.test(`/run/culvert has mode ${mode.toString(8)} after: ${prepare}; host ${args.join(" ")}`, async () => {
    await using lab = await Lab.open();
    const host = hostInOwnRun(lab, prepare, ...args);
    await host.stderrLine(/is ready/);
    const folder = `/proc/${host.pid}/root/run/culvert`;
    assert.equal(Deno.statSync(folder).mode! & 0o777, mode);
    const { code, stderr } = await host.stop();
    assert.equal(code, 0, stderr);
  });
}

Deno.test("A folder of sockets in which others may write is refused", async () => {
  await using lab = await Lab.open();
  const { code, stderr } = await hostInOwnRun(lab, "mkdir -m 1777 /run/culvert").ended();
  assert.equal(code, 1, stderr);
  assert.match(
    stderr,
    /^culvert: Cannot listen in \/run\/culvert as its mode is 1777: others could /m,
  );
});

Deno.test("A host without descriptors for all its ports says so, and leaves nothing", async () => {
  await using lab = await Lab.open();
  const taps = Array.from({ length: 30 }, () => lab.name("t"));
  const ports = taps.flatMap((tap) => ["--port", `tap:${tap}`]);
  const host = lab.culvert("host", [...ports, "--region", lab.region, ...SMALL], {
    under: ["prlimit", "--nofile=64:64"],
  });
  const { code, stderr } = await host.ended();
  assert.equal(code, 1, stderr);
  assert.match(stderr, /^culvert: Cannot .* EMFILE: raise the limit of open files \(ulimit -n\)$/m);
  assert.equal(await lab.link(taps[0]), undefined);
  await lab.nothingLeft();
});
