import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { account, assertBalanced, exists, Lab, pause, type Running, until } from "../kit/lab.ts";
import { GID, OtherUser, UID } from "./other_user.ts";
import { childrenOf, serverOf } from "../kit/processes.ts";
import { threadsOf } from "../kit/threads.ts";

/** CAP_NET_ADMIN and CAP_NET_RAW. */
const CAP_NET = 1n << 12n | 1n << 13n;

/** What a server begins with: CAP_CHOWN, DAC_OVERRIDE, FOWNER, SETGID, SETUID, SETPCAP. */
const CAP_SERVER = 1n << 0n | 1n << 1n | 1n << 3n | 1n << 6n | 1n << 7n | 1n << 8n;

const NOBODY = 65534;

/** The keeper of a host or server. */
function keeperOf({ pid }: Running): number {
  const found = childrenOf(pid).filter(({ name }) => name === "culvert-keeper");
  assert.equal(found.length, 1, JSON.stringify(found));
  return found[0].pid;
}

/** Assert that each thread has given up all privileges, and has the user `uid`. */
function assertDropped(pid: number, uid = 0): void {
  const wasRoot = uid !== UID; // others may not change the bounding set
  const threads = threadsOf(pid);
  assert(threads.length > 3, `only ${threads.length} threads`);
  for (const { name, users, capabilities, bounding, hasNoNew } of threads) {
    assert.equal(capabilities, 0n, `${name} has capabilities ${capabilities.toString(16)}`);
    if (wasRoot) assert.equal(bounding, 0n, `programs of ${name} may get ${bounding.toString(16)}`);
    assert(hasNoNew, `${name} may get new privileges`);
    assert.deepEqual(users, [uid, uid, uid, uid], name);
  }
}

Deno.test("A host has no capability in any thread, its server neither, and forwards", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair();
  await lab.run("ip", "link", "set", pair.b.outer, "down");
  const running = await lab.forwarding(pair, { host: ["-l", "0,1"] });
  const { host, wires } = running;
  await lab.flows(wires);
  assertDropped(host.pid);
  assertDropped(serverOf(lab.region)!);
  assert.match(host.stderr, /but not root's files: --user NAME gives up those too/);
  const keeper = keeperOf(host);
  const [{ capabilities, bounding, hasNoNew }] = threadsOf(keeper);
  const kept = CAP_NET | CAP_SERVER;
  assert.deepEqual([capabilities, bounding, hasNoNew], [kept, kept, true]);
  assert.deepEqual([...Deno.readDirSync(`/proc/${keeper}/fd`)].map(({ name }) => name), ["0"]);
  const maps = Deno.readTextFileSync(`/proc/${keeper}/maps`);
  assert(!maps.includes(lab.region), "the keeper has the region's memory");

  // What needs a privilege is done by the keeper, for a host that has none.
  await lab.run("ip", "link", "delete", pair.a.outer);
  await host.stderrLine(/port .* is down/);
  await lab.remake(pair.a);
  const again = { a: await lab.wire(pair.a.inner, pair.a.netns), b: wires.b };
  await lab.flows(again);
  await lab.finish(running);
  const { flags } = (await lab.link(pair.b.outer))!;
  assert(!flags.includes("UP"), `${pair.b.outer} was down, and is ${flags}`);
  await until(() => !exists(`/proc/${keeper}`), "the keeper ends");
});

Deno.test("A keeper does what it may to the interfaces, files and servers that it was told, to no others", async () => {
  await using lab = await Lab.open();
  const netns = await lab.namespace({ quiet: true });
  const folder = await Deno.makeTempDir({ prefix: "culvert-keeper-" }); // root's, mode 0700
  try {
    const [file, other] = [`${folder}/told`, `${folder}/other`];
    const probe = fileURLToPath(new URL("keeper_probe.ts", import.meta.url));
    const taps = [lab.name("t"), lab.name("t")];
    const namesake = `${folder}/${taps[0]}`; // a file that is called as an interface
    for (const path of [file, other, namesake]) await Deno.writeTextFile(path, "");
    const deno = [Deno.execPath(), "run", "-A", probe];
    const program = `${folder}/program`;
    const script = "#!/bin/sh\n" +
      'echo "$* in $(pwd)" >&2; grep -E "^(Cap(Prm|Bnd)|SigBlk|NoNew)" /proc/self/status >&2\n' +
      "ls /proc/self/fd >&2\n";
    await Deno.writeTextFile(program, script, { mode: 0o700 });
    const args = [...taps, file, other, program];
    const { stdout } = await lab.inNamespace(netns, ...deno, ...args);
    const [before, after] = stdout.trim().split("\n").map((line) => JSON.parse(line));
    const EPERM = -1;
    const done = { tap: true, mtu: 0, up: 0, packet: true, removed: 0, long: true };
    const { served: [server, ...noServers], ...others } = before;
    assert.deepEqual(others, {
      ...done,
      unknown: [EPERM, EPERM, EPERM],
      kept: EPERM,
      namesake: EPERM,
      another: EPERM,
    });
    const caps = CAP_SERVER.toString(16).padStart(16, "0");
    assert.deepEqual(server.trim().split(/\s*\n/), [
      "asked for --fd 3 --first-id 7 -n 2 in /tmp",
      `SigBlk:\t${"0".repeat(16)}`,
      ...[`CapPrm:\t${caps}`, `CapBnd:\t${caps}`, "NoNewPrivs:\t1"],
      ...["0", "1", "2", "3", "4", "5"], // 5 is the folder that ls reads
    ]);
    assert.deepEqual(noServers, [EPERM, EPERM, EPERM]);
    assert.deepEqual(after, { afterwards: EPERM, another: EPERM });
    assert.deepEqual([file, other, namesake].map(exists), [false, true, true]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("A host whose keeper is killed says so, once, and forwards on", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const tap = lab.name("t");
  const args = ["--control", lab.region, "--may-add", `${tap}*`];
  const { host, guest, wires } = await lab.forwarding(pair, { host: args });
  Deno.kill(keeperOf(host), "SIGKILL");
  await host.stderrLine(/the keeper has ended: forwarding goes on/);
  await lab.flows(wires);
  const added = await lab.culvert("ctl", [lab.region, "port", "add", `tap:${tap}2`]).ended();
  assert.match(added.stderr, /, and the keeper, .* has ended: start it anew with this port$/m);
  await guest.stop();
  const { code, stderr } = await host.stop();
  assert.equal(code, 0, stderr);
  assert.equal(stderr.match(/the keeper has ended/g)?.length, 1);
});

Deno.test("A keeper ends with its host, however that ends", async () => {
  await using lab = await Lab.open();
  const { outer } = await lab.cable();
  const host = await lab.startHost(["--port", `packet:${outer}`]);
  const keeper = keeperOf(host);
  await lab.run("kill", "-QUIT", "--", `-${keeper}`); // of its own process group: no Ctrl-C is for it
  await pause(300);
  assert.match(Deno.readTextFileSync(`/proc/${keeper}/status`), /^State:\s+S/m);
  await host.stop("SIGKILL");
  await until(() => !exists(`/proc/${keeper}`), "the keeper ends");
});

Deno.test("--user and --group: others' host, server, socket and file", async () => {
  await using lab = await Lab.open();
  const { outer } = await lab.cable();
  const path = lab.newPath();
  const args = ["--user", "nobody", "--group", `${GID}`, "--port", `packet:${outer}`];
  const host = await lab.startHost([
    ...args,
    "--region",
    lab.region,
    "--size",
    "4M",
    "--mbufs",
    "256",
  ]);
  const file = await lab.startHost(
    ["--user", "nobody", "--group", `${GID}`, "--port", "null"].concat(
      ["--region", path, "--size", "4M", "--mbufs", "256"],
    ),
  );
  for (const pid of [host.pid, serverOf(lab.region)!, file.pid]) {
    assertDropped(pid, NOBODY);
    for (const { groups } of threadsOf(pid)) {
      assert.deepEqual(groups, [NOBODY, NOBODY, NOBODY, NOBODY]);
    }
    assert.match(Deno.readTextFileSync(`/proc/${pid}/status`), /^Groups:\s*$/m);
  }
  const socket = `/run/culvert/${lab.region}.sock`;
  for (const made of [socket, path]) {
    const { uid, gid, mode } = Deno.lstatSync(made);
    assert.deepEqual([uid, gid, mode! & 0o777], [NOBODY, GID, 0o660], made);
  }
  const connect = `import socket; socket.socket(socket.AF_UNIX).connect("${socket}")`;
  const as = (gid: number) => [
    ...["setpriv", `--reuid=${UID}`, `--regid=${gid}`, "--clear-groups", "--inh-caps=-all"],
    ...["/usr/bin/python3", "-c", connect],
  ];
  assert.equal((await lab.tryRun(...as(GID))).code, 0);
  assert.match((await lab.tryRun(...as(GID + 1))).stderr, /PermissionError/);
  await using member = await OtherUser.create(lab);
  for (const region of [lab.region, path]) {
    const guest = member.culvert("guest", ["-T", "0", "--region", region]);
    await guest.stderrLine(/forwarding/);
    assert.equal((await guest.stop()).code, 0, guest.stderr);
  }
  for (const running of [host, file]) {
    const { code, stdout, stderr } = await running.stop();
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /root's files/);
    assertBalanced(account(stdout));
  }
  await lab.nothingLeft();
});

for (
  const [args, message] of [
    [["--user", "no-such-user"], /^culvert: Cannot become user no-such-user as there is none/m],
    [
      ["--group", "no-such-group"],
      /^culvert: Cannot give to group no-such-group as there is none/m,
    ],
  ] as const
) {
  Deno.test(`A host with ${args.join(" ")} says so and leaves nothing`, async () => {
    await using lab = await Lab.open();
    const { code, stderr } = await lab.host([...args, "--port", "null"]).ended();
    assert.equal(code, 1, stderr);
    assert.match(stderr, message);
    await lab.nothingLeft();
  });
}

Deno.test("With CAP_NET_RAW and CAP_NET_ADMIN alone any user forwards, and gives them up", async () => {
  await using lab = await Lab.open();
  await using user = await OtherUser.create(lab);
  const netns = await lab.namespace({ quiet: true });
  const names = [lab.name("p"), lab.name("q"), lab.name("t")];
  const [near, far, tap] = names;
  await lab.inNamespace(netns, "ip", "link", "add", near, "type", "veth", "peer", "name", far);
  await lab.inNamespace(netns, "ip", "link", "set", far, "up");
  const region = ["--region", lab.newPath()];
  const host = user.culvert(
    "host",
    ["--port", `packet:${near}`, "--port", `tap:${tap}`, ...region],
    { netns, capabilities: ["net_raw", "net_admin"] },
  );
  await host.stderrLine(/is ready/);
  assertDropped(host.pid, UID);
  assert.deepEqual(
    threadsOf(keeperOf(host)).map(({ capabilities, users }) => [capabilities, users[0]]),
    [
      [CAP_NET, UID],
    ],
  );
  const guest = user.culvert("guest", ["--no-mac-updating", "-T", "0", ...region]);
  await guest.stderrLine(/forwarding/);
  await lab.flows({ a: await lab.wire(far, netns), b: await lab.wire(tap, netns) });
  await lab.finish({ host, guest });
  assert.equal(await lab.link(tap, netns), undefined);
  assert(!(await lab.link(near, netns))!.flags.includes("UP"));
});

Deno.test("Without capabilities any user forwards between TAPs of that user", async () => {
  await using lab = await Lab.open();
  await using user = await OtherUser.create(lab);
  const netns = await lab.namespace({ quiet: true });
  const taps = [lab.name("t"), lab.name("t")];
  for (const tap of taps) {
    await lab.inNamespace(netns, "ip", "tuntap", "add", tap, "mode", "tap", "user", `${UID}`);
    await lab.inNamespace(netns, "ip", "link", "set", tap, "up");
  }
  const region = ["--region", lab.newPath()];
  const ports = taps.flatMap((tap) => ["--port", `tap:${tap}`]);
  const host = user.culvert("host", [...ports, ...region], { netns });
  await host.stderrLine(/is ready/);
  assertDropped(host.pid, UID);
  assert.deepEqual(childrenOf(host.pid), []); // nothing to keep
  const guest = user.culvert("guest", ["--no-mac-updating", "-T", "0", ...region]);
  await guest.stderrLine(/forwarding/);
  await lab.flows({ a: await lab.wire(taps[0], netns), b: await lab.wire(taps[1], netns) });
  await lab.finish({ host, guest });
  assert((await lab.link(taps[0], netns))!.flags.includes("UP"));
});

Deno.test("The rootless demo pings and sends TCP as an ordinary user", async () => {
  await using lab = await Lab.open();
  await using user = await OtherUser.create(lab);
  const { code, stdout, stderr } = await lab.start(
    ...[...user.become(), `${user.folder}/deno`, "run", "-A", `${user.folder}/app/demo/main.ts`],
    ...["--rootless", "--seconds", "1"],
  ).ended(90_000);
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, / 5 received, 0% packet loss/);
  assert.equal(stdout.match(/bits\/sec.*receiver/g)?.length, 2, stdout);
  assert.match(stdout, /mbufs: 8192 of 8192 free/);
});

Deno.test("The demo as an ordinary user, not rootless, says what it needs", async () => {
  await using lab = await Lab.open();
  await using user = await OtherUser.create(lab);
  const demo = ["run", "-A", `${user.folder}/app/demo/main.ts`];
  const { code, stderr } = await lab.tryRun(...user.become(), `${user.folder}/deno`, ...demo);
  assert.equal(code, 1);
  assert.match(stderr, /run it as root, or with --rootless/);
});
