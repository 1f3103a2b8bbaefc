/**
 * What a failure advises fits what was tried: each message is tested for what it must say, and for
 * what it must not.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Lab } from "../kit/lab.ts";

const UNPRIVILEGED = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];

/** The one line by which a command says why it cannot. */
async function refusal(
  lab: Lab,
  task: Parameters<Lab["culvert"]>[0],
  args: string[],
  under: string[] = [],
  status = 1,
): Promise<string> {
  const { code, stderr } = await lab.culvert(task, args, { under }).ended();
  assert.equal(code, status, stderr);
  return stderr.trimEnd().split("\n").at(-1)!;
}

Deno.test("A machine without /dev/net/tun is told so, not that a name is wrong", async () => {
  await using lab = await Lab.open();
  const hide = 'mount -t tmpfs none /dev/net && exec "$@"';
  const under = ["unshare", "--mount", "sh", "-c", hide, "sh"];
  const args = ["--port", `tap:${lab.name("t")}`, "--region", lab.region];
  const said = await refusal(lab, "host", args, under);
  assert.match(said, /Cannot open TAP \S+ as the kernel says ENOENT: there is no TUN device here/);
  assert.match(said, /modprobe tun/);
  assert.doesNotMatch(said, /check the name|check the path/);
});

Deno.test("Who may not use a folder is told to see whose it is, not of CAP_NET_RAW", async () => {
  await using lab = await Lab.open();
  const folder = await Deno.makeTempDir();
  try {
    await Deno.chown(folder, 65534, 65534);
    await Deno.chmod(folder, 0o700);
    const main = [Deno.execPath(), "run", "-A", "app/main.ts", "server", "-F"];
    const { code, stderr } = await lab.tryRun(...UNPRIVILEGED, ...main, "-S", `${folder}/socket`);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /EACCES: see whose it is \(ls -ld\)/);
    assert.doesNotMatch(stderr, /CAP_NET/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Without capabilities a packet port names CAP_NET_RAW", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const args = ["--port", `packet:${pair.a.outer}`, "--region", lab.newPath()];
  const said = await refusal(lab, "host", args, UNPRIVILEGED);
  assert.match(said, /EPERM: run as root, or grant CAP_NET_RAW/);
  assert.doesNotMatch(said, /ls -ld/);
});

Deno.test("An interface that is not there is told as one, with the command that lists them", async () => {
  await using lab = await Lab.open();
  const said = await refusal(lab, "host", ["--port", "packet:none9", "--region", lab.newPath()]);
  assert.match(said, /none9/);
  assert.doesNotMatch(said, /CAP_NET|check the path/);
});

Deno.test("Deno without --allow-ffi is told as what it is, not as a shim that is not built", async () => {
  await using lab = await Lab.open();
  const { code, stderr } = await lab.tryRun(
    ...[Deno.execPath(), "run", "--no-prompt", "--allow-read", "app/main.ts", "layout"],
  );
  assert.equal(code, 1);
  assert.match(stderr, /^culvert: Cannot load the shim \S+ as Deno may not: .*--allow-ffi=/);
  assert.doesNotMatch(stderr, /to build it/);
});

Deno.test("A guest with a wrong number is told which there are", async () => {
  await using lab = await Lab.open();
  await lab.startHost(["--port", "ring:a", "--guest", "3", "--port", "ring:b"]);
  const said = await refusal(lab, "guest", ["--region", lab.region, "--guest", "2"]);
  assert.match(
    said,
    /as guest 2 as it has no place for that guest: it has places for 0, 3; see --guest/,
  );
  assert.doesNotMatch(said, /memzone/);
});

Deno.test("A name or a path that is too long is told how long it may be", async () => {
  await using lab = await Lab.open();
  const long = "x".repeat(120);
  const path = await refusal(lab, "server", ["-F", "-S", `/tmp/${long}`, "-l", "1M"]);
  assert.match(path, /ENAMETOOLONG: use a shorter path: a socket's has at most 107 bytes/);
  const guest = await refusal(lab, "guest", ["--region", `/tmp/${long}/${long}`]);
  assert.match(guest, /ENAMETOOLONG: use a shorter path/);
  const region = await refusal(lab, "host", ["--port", "ring", "--region", long], [], 2);
  assert.match(region, /its name has 120 characters: at most 64$/);
  const tap = ["--port", `tap:${long}`, "--region", lab.newPath()];
  const port = await refusal(lab, "host", tap, [], 2);
  assert.match(port, /1 to 15 characters/);
  for (const said of [path, guest, region, port]) {
    assert.doesNotMatch(said, /check the path|no name|ls -ld|CAP_NET/);
  }
});

Deno.test("Who names no region, or none that is there, is told which there are", async () => {
  await using lab = await Lab.open();
  await lab.startHost(["--port", "ring"]);
  const there = new RegExp(`there are .*${lab.region}`);
  const none = lab.newRegion();
  const said = [
    await refusal(lab, "inspect", [none]),
    await refusal(lab, "inspect", [], [], 2),
    await refusal(lab, "capture", ["--region", none, "-w", "-"]),
    await refusal(lab, "push", ["app/guest/functions/l2fwd.ts", none]),
    await refusal(lab, "qemu", ["--region", none]),
  ];
  for (const line of said) assert.match(line, there);
});

Deno.test("Who controls a host that is not there is told whose control there is", async () => {
  await using lab = await Lab.open();
  const name = lab.name("c");
  await lab.startHost(["--port", "ring", "--control", name]);
  const said = await refusal(lab, "ctl", ["nosuch", "show"]);
  assert.match(said, /no host with --control nosuch runs here; there are /);
  assert.match(said, new RegExp(`there are .*${name}`));
  assert.doesNotMatch(said, /check the path/);
});

Deno.test("A pidfile without a folder is told so, not as a permission of Deno's", async () => {
  await using lab = await Lab.open();
  const path = "/run/culvert/nosuch/pid";
  const said = await refusal(lab, "server", ["-S", lab.newPath(), "-l", "1M", "-p", path]);
  assert.match(said, /Cannot write pidfile \S+ as the kernel says ENOENT: .* no folder for it/);
  assert.doesNotMatch(said, /--allow/);
});

Deno.test("An address that is not ours, and one that is taken, are told as what they are", async () => {
  await using lab = await Lab.open();
  const foreign = await refusal(lab, "metrics", ["--listen", "192.0.2.1:9497"]);
  assert.match(foreign, /EADDRNOTAVAIL: this machine has no such address \(ip address\)/);
  assert.doesNotMatch(foreign, /ss -ltnp/);
  using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const taken = await refusal(lab, "metrics", ["--listen", `127.0.0.1:${other.addr.port}`]);
  assert.match(taken, /EADDRINUSE: see who listens there \(ss -ltnp\)/);
});

Deno.test("Too few descriptors are told with the limit to raise, and how many it takes", async () => {
  await using lab = await Lab.open();
  const path = lab.newPath();
  for (
    const [task, args] of [
      ["host", ["--port", "ring", "--region", path]],
      ["guest", ["--region", path]],
      ["run", ["--port", "ring"]],
    ] as const
  ) {
    const under = ["prlimit", "--nofile=40:40"];
    const said = await refusal(lab, task, [...args], under);
    const needed = task === "run" ? 80 : 64;
    const found = `Cannot run culvert ${task} as it may have 40 files open, and needs ${needed}`;
    assert(said.endsWith(`${found}: raise the limit of open files (ulimit -n)`), said);
  }
});
