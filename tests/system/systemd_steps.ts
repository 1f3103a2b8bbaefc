/**
 * What an operator does with culvert on a Debian with systemd, step by step: in a container, or in
 * a VM.
 *
 * @module
 */
import { equal, match, ok } from "node:assert/strict";
import { VERSION } from "../../app/cli/version.ts";
import { type Debian, DebianRoot } from "../kit/debian.ts";
import { InstalledPackage } from "../kit/installed_package.ts";
import { untilReachable } from "../kit/kernel_traffic.ts";
import { BOOT_MS, Lab, packetPorts, until } from "../kit/lab.ts";
import { freePort, startPrometheus } from "../kit/prometheus.ts";

/** How exposed a unit may be at most, as `systemd-analyze security` tells it. */
const EXPOSURE_MAX = {
  "culvert-host@.service": 4,
  "culvert-server@.service": 2,
  "culvert-guest.service": 4,
  "culvert-metrics.service": 4,
};

const EDGE = `
idle = "sleep"
may-add = "v*"

[[region]]
name = "edge"
ports = ["tap:tap0", "tap:tap1", "packet:v0"]
`;

/** Cables in it, whose other ends are put into namespaces. */
const cable = (name: string) => `[NetDev]\nName=v${name}\nKind=veth\n[Peer]\nName=p${name}\n`;

/** A namespace at the end of such a cable. */
const namespace = (name: number) =>
  `ip netns add n${name}; ip link set p${name} netns n${name}; ` +
  `ip -n n${name} addr add 10.9.0.${name + 1}/24 dev p${name}; ip -n n${name} link set p${name} up`;

/** Whether frames go through its host and guest. */
const PING = "ip netns exec n0 ping -c 2 -i 0.2 -W 20 10.9.0.2";

/** Where npm puts the package, where cloud-init does, and the next version in this test. */
const PACKAGE = "usr/local/lib/node_modules/culvert-net", FOLDER = "/usr/local/lib/culvert";
const NEXT = "99.1.0";

/** Of all that cloud-init can do, what its text needs. */
const CLOUD = `
datasource_list: [NoCloud]
network: {config: disabled}
cloud_init_modules: [write-files, runcmd]
cloud_final_modules: [scripts-user]
`;

/** What an operator adds to the text: the guest's options. */
const guestFile = (options: string) => `
write_files:
  - path: /etc/culvert/guest
    content: GUEST_OPTIONS=${options} --no-mac-updating
`;

/** Where cloud-init finds its text if there is no cloud. */
const SEED = "var/lib/cloud/seed/nocloud";

/** The process that a unit runs. */
const mainPid = (unit: string) => `systemctl show --value -p MainPID ${unit}`;

/** Where a Debian runs. */
export interface Place {
  /** What networkd is told of the interface by which ssh comes. */
  readonly network: string;
  /** The address by which the Debian reaches this machine. */
  readonly here: string;
  /** The address at which servers on this machine listen for the Debian. */
  readonly listen: string;
  /** The address and port of its sshd, from this machine. */
  readonly address: string;
  readonly port: number;
  /** Options by which a guest there finds the region of a host here. */
  readonly guest: string;
  /** Boot it, with a region's file. */
  readonly boot: (root: DebianRoot, region: string) => Promise<Debian>;
}

/** Do all that an operator does. */
export async function operate(
  t: Deno.TestContext,
  placeIn: (lab: Lab) => Promise<Place>,
): Promise<void> {
  await using lab = await Lab.open();
  const place = await placeIn(lab);
  const making = InstalledPackage.create();
  making.catch(() => {/* told below */});
  await using root = await DebianRoot.create(lab);
  await using installed = await making;
  await installed.into(`${root.folder}/usr/local`);
  await root.chroot("culvert", "units");
  await root.write("etc/systemd/network/net.network", place.network);
  for (const name of ["0", "1"]) {
    await root.write(`etc/systemd/network/${name}.netdev`, cable(name));
  }
  await root.systemctl("enable", "systemd-networkd.service");
  await root.write("etc/culvert/edge.toml", EDGE);
  await root.write("etc/culvert/edge.server", "SERVER_OPTIONS=-l 64M -n 4\n");
  await root.systemctl("enable", "culvert-server@edge.socket", "culvert-host@edge.service");
  await root.systemctl("enable", "culvert-metrics.service");
  await lab.run("cp", "-r", `${root.folder}/${PACKAGE}`, `${root.folder}/next`);
  const bump =
    `grep -rlF '"${VERSION}"' package.json dist | xargs sed -i 's/"${VERSION}"/"${NEXT}"/'`;
  await lab.run("env", "-C", `${root.folder}/next`, "sh", "-c", bump);

  const says = async (...args: string[]) => {
    const { code, stdout, stderr } = await installed.command(".", ...args).ended(2 * BOOT_MS);
    equal(code, 0, stdout + stderr);
    return stdout;
  };
  const archive = `${root.folder}.tgz`;
  await says("vm-install", "--archive", archive);
  await using web = Deno.serve({ hostname: place.listen, port: 0, onListen() {} }, async () => {
    return new Response((await Deno.open(archive)).readable);
  });
  const from = `http://${place.here}:${web.addr.port}/culvert.tgz`;
  const text = await says("vm-install", "--cloud-init", from);
  await root.write("etc/cloud/cloud.cfg.d/99_test.cfg", CLOUD);
  await root.write(`${SEED}/meta-data`, "instance-id: debian\n");
  await root.write(`${SEED}/user-data`, text + guestFile(place.guest));

  const page = await Deno.readTextFile(new URL("../../app/vm/README.md", import.meta.url));
  const [rule] = /\/dev\/hugepages\/edge rw,/.exec(page)!;
  for (const [name, line] of [["with", rule], ["without", ""]]) {
    const profile = `profile ${name} {\n#include <abstractions/libvirt-qemu>\n${line}\n}\n`;
    await root.write(`apparmor/${name}`, `#include <tunables/global>\n${profile}`);
    const [path, features] = [`${root.folder}/apparmor/${name}`, "/etc/apparmor.d/abi/3.0"];
    const how = ["--skip-kernel-load", "--skip-cache", `--features-file=${features}`];
    await lab.run("apparmor_parser", ...how, `--ofile=${path}.bin`, path);
  }

  await t.step("cloud-init finds its text valid", async () => {
    await root.chroot("cloud-init", "schema", "--config-file", `/${SEED}/user-data`);
  });

  await t.step("units are sound, and leave little exposed", async () => {
    for (const [unit, most] of Object.entries(EXPOSURE_MAX)) {
      const { stdout } = await lab.run(
        ...["systemd-analyze", "security", "--offline=yes", `--root=${root.folder}`, "--no-pager"],
        unit.replace("@", "@edge"),
      );
      const exposure = Number(/exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]);
      ok(exposure <= most, `${unit}: ${exposure}`);
    }
  });

  const { a, b } = await lab.namespacePair();
  const region = lab.newPath();
  const host = await lab.startHost([...packetPorts(a, b), "--region", region, "--idle", "sleep"]);
  const key = `${root.folder}.key`; // --ssh splits at spaces
  await lab.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key);
  await root.write("root/.ssh/authorized_keys", await Deno.readTextFile(`${key}.pub`), 0o600);
  await using debian = await place.boot(root, region);

  const ssh =
    `ssh -p ${place.port} -i ${key} -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null`;
  const remotely = (...command: string[]) =>
    lab.start(...ssh.split(" "), "-oLogLevel=ERROR", ...command);
  const scraped = `127.0.0.1:${freePort()}`;
  const login = `root@${place.address}`;
  const target = ["-N", "-L", `${scraped}:127.0.0.1:9497`, login];
  /** What metrics of it say. */
  const metrics = async () => {
    const response = await fetch(`http://${scraped}/metrics`).catch(() => undefined);
    return await response?.text() ?? "";
  };
  const tells = (wanted: RegExp) =>
    until(async () => wanted.test(await metrics()), `metrics have ${wanted}`, BOOT_MS);
  /** Which host of the region this is: they are counted. */
  const epoch = async () => Number(/host_epoch\{region="edge"\} (\d+)/.exec(await metrics())?.[1]);

  await t.step("cloud-init has made a guest a service, which forwards", async () => {
    await debian.until("cloud-init status || true", /status: done/);
    await host.stderrLine(/guest 0 attached/, BOOT_MS);
    await untilReachable(lab, a, b, BOOT_MS);
    equal(await debian.run("systemctl is-active culvert-guest"), "active");
    equal(await debian.run("systemctl is-enabled culvert-guest"), "enabled");
    await debian.run("systemctl stop culvert-guest"); // it would be in the way of the others
  });

  await t.step("a host and its server start at boot, as a user of their own", async () => {
    await debian.until("systemctl is-active culvert-host@edge || true", /^active$/);
    equal(await debian.run("systemctl is-active culvert-server@edge"), "active");
    const status = await debian.run("systemctl show -p StatusText culvert-host@edge");
    match(status, /forwarding: tap0, tap1, v0/);
    equal(await debian.run(`stat -c %U /proc/$(${mainPid("culvert-host@edge")})`), "culvert");
  });

  await t.step("metrics of it are served since then, too, which Prometheus scrapes", async () => {
    await debian.until("systemctl is-active culvert-metrics || true", /^active$/);
    equal(await debian.run(`stat -c %U /proc/$(${mainPid("culvert-metrics")})`), "culvert");
    await debian.until("ip -4 route", / src /);
    remotely(...target);
    await tells(/culvert_host_up\{region="edge"\} 1\n/);
    const prometheus = await startPrometheus(lab, scraped);
    const isUp = async () => (await prometheus.query("sum(culvert_host_up)"))[0]?.value === 1;
    await until(isUp, "Prometheus has scraped the host", BOOT_MS);
    await prometheus.stop();
  });

  await t.step("a guest, and a port that is added, forward", async () => {
    await debian.run(
      "systemd-run -q --unit=l2fwd culvert guest --region edge --no-mac-updating -T 0",
    );
    for (const name of [0, 1]) await debian.run(namespace(name));
    match(await debian.run("culvert ctl edge port add packet:v1"), /^done: frames have waited/);
    await debian.until(`${PING} || true`, /[12] received/); // as soon as the guest has attached
  });

  await t.step("frames of the host that runs come over ssh into tshark", async () => {
    const capture = "culvert capture v1 --region edge -c 10 -w -";
    const path = await Deno.makeTempFile({ suffix: ".pcapng" });
    const dump = lab.start("sh", "-c", `${ssh} ${login} ${capture} > ${path}`);
    await dump.stderrLine(/captures v1 of region edge/, BOOT_MS);
    await debian.run(PING.replace("-c 2", "-c 6"));
    equal((await dump.ended(BOOT_MS)).code, 0, dump.stderr);
    const { stdout } = await lab.run("tshark", "-r", path, "-T", "fields", "-e", "icmp.type");
    match(stdout, /^8$/m);
    match(stdout, /^0$/m);
    await Deno.remove(path);
  });

  await t.step("the next version of host and server has the same guest and memory", async () => {
    const [before, last] = [await debian.run(mainPid("l2fwd")), await epoch()];
    await debian.run('sed -i \'s/"packet:v0"/&, "packet:v1"/\' /etc/culvert/edge.toml');
    await debian.run(
      `rm -rf ${FOLDER}; mv /next ${FOLDER}; culvert units; systemctl daemon-reload`,
    );
    await debian.run("systemctl restart culvert-server@edge culvert-host@edge culvert-metrics");
    await tells(new RegExp(`build_info\\{version="${NEXT}"`));
    await until(async () => await epoch() > last, "the next host is there", BOOT_MS);
    await debian.until(`${PING} || true`, /[12] received/);
    equal(await debian.run(mainPid("l2fwd")), before);
    const log = await debian.run("journalctl -b --no-pager -u 'culvert-[hs]*'");
    match(log, /is ready: 64 MiB, the memory that is open as descriptor/);
    match(log, /received \d+ = forwarded \d+ \+ dropped \d+$/m);
    match(log, /mbufs: (\d+) of \1 free/);
  });

  await t.step("a killed server goes on with its region, and its members find it", async () => {
    const last = await epoch();
    await debian.run(`kill -9 $(${mainPid("culvert-server@edge")})`);
    const read = "journalctl -b --no-pager -u 'culvert-*'";
    const again = /the server is there again: we are peer \d+, others can join/;
    const log = await debian.until(`${read} --since=-60s`, again);
    equal(await epoch(), last);
    ok(!/Got notification message from PID/.test(log), log);
  });

  await t.step(
    "a host that stands still is ended by its watchdog, and the next goes on",
    async () => {
      const last = await epoch();
      await debian.run(`kill -STOP $(${mainPid("culvert-host@edge")})`);
      await until(async () => await epoch() > last, "the next host is there", BOOT_MS);
      match(await debian.run("journalctl -b --no-pager -u culvert-host@edge"), /Watchdog timeout/);
      equal(await debian.run("ls /sys/class/net | grep tap"), "tap0\ntap1");
    },
  );

  await t.step("stopping the host leaves no interface", async () => {
    await debian.run("systemctl stop culvert-metrics l2fwd");
    await debian.run(
      "systemctl stop culvert-host@edge culvert-server@edge.socket culvert-server@edge",
    );
    equal(await debian.run("ls /sys/class/net | grep -c tap || true"), "0");
    equal(await debian.run("find /run/culvert ! -type d"), "");
  });

  await t.step("culvert vm-install makes its guest a service, which forwards", async () => {
    await debian.run("rm /usr/local/bin/culvert");
    const said = await says("vm-install", login, "--ssh", ssh);
    ok(said.includes(`culvert-guest.service runs in ${login}`), said);
    await host.stderrLine(/guest 0 attached/, BOOT_MS);
    await untilReachable(lab, a, b, BOOT_MS);
    equal(await debian.run("systemctl is-active culvert-guest"), "active");
  });

  await t.step("a guest that is killed comes back", async () => {
    await debian.run(`kill -9 $(${mainPid("culvert-guest")})`);
    await host.stderrLine(/guest 0 attached/, BOOT_MS);
    await untilReachable(lab, a, b, BOOT_MS);
  });
}
