import { equal, match, ok } from "node:assert/strict";
import { DebianRoot } from "../kit/debian_vm.ts";
import { InstalledPackage } from "../kit/installed_package.ts";
import { Lab, packetPorts } from "../kit/lab.ts";

/** How exposed a unit may be at most, as `systemd-analyze security` tells it. */
const EXPOSURE_MAX = {
  "culvert-host@.service": 4,
  "culvert-server@.service": 2,
  "culvert-guest.service": 4,
  "culvert-metrics.service": 4,
};

const EDGE = `
idle = "sleep"

[[region]]
name = "edge"
ports = ["tap:tap0", "tap:tap1"]
`;

/** QEMU's user network, over which ssh comes. */
const NETWORK = "[Match]\nName=en*\n[Network]\nDHCP=ipv4\n";

/** The process that a unit runs. */
const mainPid = (unit: string) => `systemctl show --value -p MainPID ${unit}`;

Deno.test("In a Debian with systemd", async (t) => {
  await using lab = await Lab.open();
  await using installed = await InstalledPackage.create();
  await using root = await DebianRoot.create(lab);
  await installed.into(`${root.folder}/usr/local`);
  await root.chroot("culvert", "units");
  await root.write("etc/systemd/network/net.network", NETWORK);
  await root.systemctl("enable", "systemd-networkd.service");
  await root.write("etc/culvert/edge.toml", EDGE);
  await root.write("etc/culvert/edge.server", "SERVER_OPTIONS=-l 64M -n 4\n");
  await root.systemctl("enable", "culvert-server@edge.socket", "culvert-host@edge.service");
  await root.systemctl("enable", "culvert-metrics.service");

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
  const bytes = (await Deno.stat(region)).size;
  const key = `${root.folder}.key`; // --ssh splits at spaces
  await lab.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key);
  await root.write("root/.ssh/authorized_keys", await Deno.readTextFile(`${key}.pub`), 0o600);
  const port = 20_000 + Deno.pid % 10_000;
  await using vm = await root.boot(
    ...["-object", `memory-backend-file,id=region,share=on,mem-path=${region},size=${bytes}`],
    ...["-device", "ivshmem-plain,memdev=region"],
    ...["-netdev", `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${port}-:22`],
    ...["-device", "virtio-net,netdev=net"],
  );

  await t.step("a host and its server start at boot, as a user of their own", async () => {
    await vm.until("systemctl is-active culvert-host@edge || true", /^active$/);
    equal(await vm.run("systemctl is-active culvert-server@edge"), "active");
    match(await vm.run("systemctl show -p StatusText culvert-host@edge"), /forwarding: tap0, tap1/);
    equal(await vm.run(`stat -c %U /proc/$(${mainPid("culvert-host@edge")})`), "culvert");
    match(await vm.run("culvert inspect edge"), /READY, alive, epoch 1, peer \d/);
  });

  await t.step("metrics of it are served since then, too, as that user", async () => {
    await vm.until("systemctl is-active culvert-metrics || true", /^active$/);
    equal(await vm.run(`stat -c %U /proc/$(${mainPid("culvert-metrics")})`), "culvert");
    const scrape =
      'exec 3<>/dev/tcp/127.0.0.1/9497; printf "GET /metrics HTTP/1.0\\r\\n\\r\\n" >&3; ' +
      "grep culvert_port_up <&3";
    await vm.until(`bash -c '${scrape}' || true`, /region="edge".*tap1/);
  });

  /** Wait until the same host is another peer: it is at the next server. */
  const joinsAgain = async (make: string) => {
    const [, id] = /peer (\d+)/.exec(await vm.run("culvert inspect edge"))!;
    await vm.run(make);
    const again = new RegExp(`READY, alive, epoch 1, peer (?!${id},)\\d`);
    await vm.until("culvert inspect edge || true", again);
  };

  await t.step("a killed server goes on with its region, and its members find it", async () => {
    await joinsAgain(`kill -9 $(${mainPid("culvert-server@edge")})`);
    const log = await vm.run("journalctl -b --no-pager -u 'culvert-*'");
    match(log, /the server is there again: we are peer \d+, others can join/);
    ok(!/Got notification message from PID/.test(log), log);
  });

  await t.step("a server that is started again by hand does so, too", async () => {
    await joinsAgain("systemctl restart culvert-server@edge");
  });

  await t.step(
    "a host that stands still is ended by its watchdog, and the next goes on",
    async () => {
      await vm.run(`kill -STOP $(${mainPid("culvert-host@edge")})`);
      await vm.until("culvert inspect edge || true", /READY, alive, epoch 2/);
      match(await vm.run("journalctl -b --no-pager -u culvert-host@edge"), /Watchdog timeout/);
      equal(await vm.run("ls /sys/class/net | grep tap"), "tap0\ntap1");
    },
  );

  await t.step("stopping the host leaves no interface", async () => {
    await vm.run("systemctl stop culvert-host@edge culvert-server@edge.socket culvert-server@edge");
    equal(await vm.run("ls /sys/class/net | grep -c tap || true"), "0");
    equal(await vm.run("find /run/culvert ! -type d"), "");
  });

  await t.step("culvert vm-install makes its guest a service, which forwards", async () => {
    await vm.run("rm /usr/local/bin/culvert; mkdir -p /etc/culvert");
    await vm.run("echo 'GUEST_OPTIONS=--pci auto --no-mac-updating' > /etc/culvert/guest");
    await vm.until("networkctl --no-pager list", /routable/);
    const ssh =
      `ssh -p ${port} -i ${key} -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null`;
    const args = ["vm-install", "root@127.0.0.1", "--ssh", ssh];
    const ended = await installed.command(".", ...args).ended(300_000);
    equal(ended.code, 0, ended.stdout + ended.stderr);
    match(ended.stdout, /culvert-guest.service runs in root@127.0.0.1/);
    await host.stderrLine(/guest 0 attached/);
    await lab.inNamespace(a.netns, "ping", "-c", "3", "-W", "5", b.ip4);
    equal(await vm.run("systemctl is-active culvert-guest"), "active");
  });

  await t.step("a guest that is killed comes back", async () => {
    await vm.run(`kill -9 $(${mainPid("culvert-guest")})`);
    await host.stderrLine(/guest 0 attached/);
    await lab.inNamespace(a.netns, "ping", "-c", "3", "-W", "5", b.ip4);
  });
});
