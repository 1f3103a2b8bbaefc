/**
 * What users do wrong with a command line, or as a host: each time one clear line, the right exit
 * status, and nothing left behind.
 *
 * @module
 */
import assert from "node:assert/strict";
import { account, exists, Lab } from "../kit/lab.ts";
import { assertRefused, FAILURE, USAGE } from "./refused.ts";

/** Root without any capability. */
const WITHOUT_CAPABILITIES = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];

/** Run command lines, a few at a time; each must be refused. */
async function refuseAll(
  lab: Lab,
  task: "host" | "guest",
  cases: readonly (readonly [args: string, status: number, why: RegExp])[],
): Promise<void> {
  const todo = [...cases];
  const worker = async () => {
    for (let next; (next = todo.shift());) {
      const [args, status, why] = next;
      const words = args === "" ? [] : args.split(" ").map((word) => word.replaceAll("_", " "));
      if (!words.includes("--region") && !words.includes("--pci")) {
        words.push("--region", lab.newRegion()); // or two would meet there
      }
      assertRefused(await lab[task](words).ended(), status, why);
    }
  };
  await Promise.all([worker(), worker()]);
  await lab.nothingLeft();
}

Deno.test("culvert without a command, or with an unknown one, is a usage error", async () => {
  await using lab = await Lab.open();
  const main = [Deno.execPath(), "run", "--no-prompt", "app/main.ts"];
  const { code, stderr } = await lab.tryRun(...main);
  assert.equal(code, USAGE);
  assert.match(stderr, /^usage: culvert COMMAND[^]*^ {2}host [^]*^ {2}server /m);
  assertRefused(await lab.tryRun(...main, "switch"), USAGE, /"switch".*no command/);
});

Deno.test("culvert --help and every command's --help tell how to use it, and exit with 0", async () => {
  await using lab = await Lab.open();
  const plain = lab.tryRun(Deno.execPath(), "run", "--no-prompt", "app/main.ts", "--help");
  const commands = (["host", "guest", "image", "qemu"] as const).map((command) =>
    [command, lab.culvert(command, ["--help"]).ended()] as const
  );
  assert.match((await plain).stdout, /^usage: culvert COMMAND/m);
  assert.equal((await plain).code, 0);
  for (const [command, running] of commands) {
    const { code, stdout, stderr } = await running;
    assert.equal(code, 0, stderr);
    assert.equal(stderr, "");
    assert.match(stdout, new RegExp(`^usage: culvert ${command}`, "m"));
    assert.match(stdout, /--help/);
  }
});

Deno.test("Each command refuses an option that it does not know with one line and status 2", async () => {
  await using lab = await Lab.open();
  await refuseAll(lab, "host", [["--port null --speed 9", USAGE, /--speed/]]);
  await refuseAll(lab, "guest", [["--speed 9", USAGE, /--speed/]]);
});

Deno.test("culvert host refuses interfaces that are not there, or that are not Ethernet", async () => {
  await using lab = await Lab.open();
  const tun = lab.name("tun");
  await lab.run("ip", "tuntap", "add", tun, "mode", "tun");
  lab.removeLink(tun);
  await refuseAll(lab, "host", [
    [`--port packet:${lab.name("no")}`, FAILURE, /no such interface/],
    ["--port packet:lo", FAILURE, /lo .*not Ethernet/],
    ["--port tap:lo", FAILURE, /lo .*not Ethernet/],
    [`--port packet:${tun}`, FAILURE, /not Ethernet .*: it carries IP alone.* use a VXLAN/],
    ["--port packet:no0@no1", FAILURE, /no such interface.*: write no0, as what/],
    [`--port tap:${tun}`, FAILURE, /not Ethernet/],
  ]);
});

Deno.test("culvert host makes no port if another one cannot be opened", async () => {
  await using lab = await Lab.open();
  const cable = await lab.cable({ quiet: true });
  await lab.run("ip", "link", "set", cable.outer, "down");
  const tap = lab.name("tap");
  const ports = ["--port", `tap:${tap}`, "--port", `packet:${cable.outer}`];
  const host = lab.host([...ports, "--port", `packet:${lab.name("no")}`]);
  assertRefused(await host.ended(), FAILURE, /no such interface/);
  assert.equal(await lab.link(tap), undefined);
  const found = await lab.link(cable.outer);
  assert(found && !found.flags.includes("UP"), "the interface is down again");
  assert.equal(found.promiscuity, 0);
  await lab.nothingLeft();
});

Deno.test("culvert host refuses a TAP that another program has open", async () => {
  await using lab = await Lab.open();
  const tap = lab.name("tap");
  const first = await lab.startHost(["--port", `tap:${tap}`]);
  const second = lab.host(["--port", `tap:${tap}`, "--region", lab.newRegion()]);
  assertRefused(await second.ended(), FAILURE, /another program has it open/);
  assert.equal((await first.stop()).code, 0);
  await lab.nothingLeft();
});

Deno.test("culvert host refuses regions that are too small for its rings and mbufs", async () => {
  await using lab = await Lab.open();
  await refuseAll(lab, "host", [
    [`--port null --size 3M --region ${lab.newPath()}`, USAGE, /powers of two/],
    [
      `--port null --size 1M --mbufs 8192 --region ${lab.newPath()}`,
      FAILURE,
      /8192 mbufs.*use --mbufs \d+/,
    ],
    ["--port null --size 1M --mbufs 8192", FAILURE, /8192 mbufs.*use --mbufs \d+/],
    ["--port null --size 1M --ring-size 65536", FAILURE, /larger \(--size\)/],
  ]);
});

Deno.test("culvert host says how many mbufs fit, and so many do", async () => {
  await using lab = await Lab.open();
  const args = ["--port", "ring", "--size", "2M"];
  const { stderr } = await lab.host([...args, "--mbufs", "8192"]).ended();
  const [, most] = /use --mbufs (\d+)/.exec(stderr)!;
  const host = await lab.startHost([...args, "--mbufs", most]);
  assert.equal(account((await host.stop()).stdout).mbufsTotal, Number(most));
  const one = lab.host([...args, "--mbufs", `${Number(most) + 1}`]);
  assertRefused(await one.ended(), FAILURE, new RegExp(`as ${most} fit`));
});

Deno.test("culvert host takes the smallest region and the largest, and says how large it is", async () => {
  await using lab = await Lab.open();
  for (const [size, mebibytes] of [["1M", 1], ["4G", 4096]] as const) {
    const host = lab.host(["--port", "ring", "--size", size, "--mbufs", "64"]);
    await host.stderrLine(new RegExp(`is ready: .*, ${mebibytes} MiB$`));
    assert.equal(/is large: its memory takes about a second/.test(host.stderr), size === "4G");
    const guest = await lab.startGuest();
    await lab.finish({ host, guest });
  }
});

Deno.test("culvert host refuses a region file of another size, and leaves it as it was", async () => {
  await using lab = await Lab.open();
  const path = lab.newPath();
  Deno.writeTextFileSync(path, "somebody's notes");
  const host = lab.host(["--port", "null", "--region", path]);
  assertRefused(await host.ended(), FAILURE, /has 16 bytes: 1 MiB is the least/);
  const sized = lab.host(["--port", "null", "--region", path, "--size", "64M"]);
  assertRefused(await sized.ended(), FAILURE, /has 16 bytes where 67108864 are wanted/);
  assert.equal(Deno.readTextFileSync(path), "somebody's notes");
});

Deno.test("culvert host refuses a region path where no file can be, or that it may not remove", async () => {
  await using lab = await Lab.open();
  const outside = Deno.makeTempDirSync();
  try {
    await refuseAll(lab, "host", [
      ["--port null --region /dev/shm/", FAILURE, /\/dev\/shm\//],
      ["--port null --region /dev/shm", FAILURE, /\/dev\/shm/],
      ["--port null --region /dev/shm/no/such/folder", FAILURE, /ENOENT/],
      [`--port null --region ${outside}/region`, FAILURE, /--allow-write/],
    ]);
    assert.deepEqual([...Deno.readDirSync(outside)], []);
  } finally {
    Deno.removeSync(outside, { recursive: true });
  }
});

Deno.test("culvert host refuses a region file that the file system has no room for", async () => {
  await using lab = await Lab.open();
  const smallShm = 'mount -t tmpfs -o size=8m none /dev/shm && exec "$@"';
  const under = ["unshare", "--mount", "sh", "-c", smallShm, "sh"];
  const args = ["--port", "ring", "--region", lab.newPath()];
  const host = lab.culvert("host", args, { under });
  assertRefused(await host.ended(), FAILURE, /ENOSPC: make it smaller/);
});

Deno.test("A full disk is reported as stdout's if that cannot be written to, else by the file's name", async () => {
  await using lab = await Lab.open();
  const main = [Deno.execPath(), "run", "--no-prompt", "app/main.ts"];
  const help = await lab.tryRun(
    "sh",
    "-c",
    'exec "$@" >/dev/full',
    "sh",
    ...main,
    "host",
    "--help",
  );
  assertRefused(help, FAILURE, /write to stdout as the disk is full/);
  const program = `
    import { runProgram } from "./app/cli/run_program.ts";
    await runProgram("culvert", () => Deno.writeTextFileSync("/dev/full", "x"));`;
  const file = await lab.tryRun(Deno.execPath(), "eval", "--no-check", program);
  assertRefused(file, FAILURE, /write to \/dev\/full as the disk is full/);
});

Deno.test("A second culvert host on a region is refused, by name and by path", async () => {
  await using lab = await Lab.open();
  for (const region of [lab.region, lab.newPath()]) {
    const args = ["--port", "ring", "--region", region];
    const first = await lab.startHost(args);
    const guest = lab.guest(["--region", region]);
    await first.stderrLine(/guest 0 attached/);
    assertRefused(await lab.host(args).ended(), FAILURE, /another host/);
    assert.equal((await guest.stop()).code, 0);
    await first.stderrLine(/guest 0 detached/);
    await lab.stopHost(first);
  }
  await lab.nothingLeft();
});

Deno.test("A socket that a killed host left behind does not hinder the next one", async () => {
  await using lab = await Lab.open();
  const first = await lab.startHost(["--port", "ring"]);
  await first.stop("SIGKILL");
  assert(exists(`/run/culvert/${lab.region}.sock`));
  const second = await lab.startHost(["--port", "ring"]);
  assert.equal((await second.stop()).code, 0);
  await lab.nothingLeft();
});

Deno.test("Without capabilities culvert host says which one it lacks", async () => {
  await using lab = await Lab.open();
  const cable = await lab.cable({ quiet: true });
  const tap = lab.name("tap");
  const host = (port: string) => {
    const args = ["--port", port, "--region", lab.newRegion()];
    return lab.culvert("host", args, { under: WITHOUT_CAPABILITIES });
  };
  const [onTap, onPacket] = [host(`tap:${tap}`), host(`packet:${cable.outer}`)];
  for (
    const [running, capability] of [[onTap, "CAP_NET_ADMIN"], [onPacket, "CAP_NET_RAW"]] as const
  ) {
    assertRefused(await running.ended(), FAILURE, new RegExp(`EPERM.*${capability}`));
  }
  assert.equal(await lab.link(tap), undefined);
  await lab.nothingLeft();
});

Deno.test("Where /run/culvert cannot be made, culvert host says so", async () => {
  await using lab = await Lab.open();
  const emptyRun = 'mount -t tmpfs -o mode=555 none /run && exec "$@"';
  const under = ["unshare", "--mount", "sh", "-c", emptyRun, "sh", ...WITHOUT_CAPABILITIES];
  const host = lab.culvert("host", ["--port", "null", "--region", lab.region], { under });
  assertRefused(await host.ended(), FAILURE, /\/run\/culvert/);
});
