import { deepEqual, equal, match, ok } from "node:assert/strict";
import { doctorText } from "../../app/doctor/doctor_text.ts";
import type { Finding, State } from "../../app/doctor/check.ts";
import { examine } from "../../app/doctor/examine.ts";
import { parseCommandLine } from "../../app/doctor/command_line.ts";
import { LAYOUT_HASH, LAYOUT_VERSION } from "../../app/memory/layout.ts";
import { type Answers, machine } from "./machine.ts";

const VERSION = "1.2.3";

/** What is not all right with a machine. */
async function complaints(answers: Answers, interfaces: string[] = []): Promise<Finding[]> {
  const findings = await examine(machine(answers), interfaces, VERSION);
  return findings.filter(({ state }) => state !== "good");
}

/** A check that is made to fail, alone. */
function fails(
  what: string,
  answers: Answers,
  wanted: { check: string; state: State; found: RegExp; fix: RegExp },
): void {
  Deno.test(`culvert doctor notices ${what}`, async () => {
    const [finding, ...others] = await complaints(answers);
    ok(finding, "nothing is noticed");
    equal(finding.check, wanted.check);
    equal(finding.state, wanted.state, finding.found);
    match(finding.found, wanted.found);
    match(finding.fix!, wanted.fix);
    deepEqual(others, [], "and nothing else");
  });
}

const CPU = "/sys/devices/system/cpu";
const HUGEPAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB";
const HELP = "qemu-system-x86_64 -device help";
const LIMITS = "/proc/self/limits";
const NO_CAPABILITIES = "CapEff:\t0000000000000000\n";

Deno.test("culvert doctor has nothing to say where all is well, and tells what it saw", async () => {
  deepEqual(await complaints({}), []);
  const text = doctorText(await examine(machine(), [], VERSION), false);
  for (
    const line of [
      /^ok +QEMU +7\.2\.22, has ivshmem-plain and ivshmem-doorbell$/m,
      /^ok +capabilities +CAP_NET_RAW, CAP_NET_ADMIN$/m,
      /^ok +cores +isolated: 2-3$/m,
      /^ok +offloads of eth1 +none that hurts$/m,
      /^ok +versions +culvert 1\.2\.3, as all programs that run: 1 host$/m,
    ]
  ) match(text, line);
});

fails("that there is no QEMU", { prints: { [HELP]: undefined } }, {
  check: "QEMU",
  state: "note",
  found: /no qemu-system-x86_64: guests can be processes, but not VMs/,
  fix: /^apt-get install qemu-system-x86$/,
});
fails("a QEMU without ivshmem, as RHEL's", {
  prints: {
    [HELP]: undefined,
    "/usr/libexec/qemu-kvm -device help": 'name "virtio-net-pci", bus PCI\n',
    "/usr/libexec/qemu-kvm --version": "QEMU emulator version 9.1.0 (qemu-kvm-9.1.0-15.el9)\n",
  },
}, {
  check: "QEMU",
  state: "bad",
  found: /qemu-kvm 9\.1\.0 was built without ivshmem-plain and ivshmem-doorbell/,
  fix: /CONFIG_IVSHMEM_DEVICE=y/,
});
fails("that /dev/kvm is another group's", { devices: { "/dev/kvm": "refused" } }, {
  check: "KVM",
  state: "bad",
  found: /may not be opened/,
  fix: /usermod -aG kvm/,
});
fails("that no module drives a processor that has KVM", { devices: { "/dev/kvm": "absent" } }, {
  check: "KVM",
  state: "note",
  found: /emulated, .* slower/,
  fix: /^modprobe kvm_intel/,
});
fails("a processor without virtualization", {
  devices: { "/dev/kvm": "absent" },
  files: { "/proc/cpuinfo": "flags\t\t: fpu sse2\n" },
}, { check: "KVM", state: "note", found: /no \/dev\/kvm/, fix: /firmware, or nested/ });
fails("a missing capability, and which port it is for", {
  files: { "/proc/self/status": "CapEff:\t0000000000005000\n" },
}, {
  check: "capabilities",
  state: "bad",
  found: /^missing: CAP_NET_RAW \(packet ports\)$/,
  fix: /as root/,
});
fails("that there is no TUN device", { devices: { "/dev/net/tun": "absent" } }, {
  check: "tun",
  state: "bad",
  found: /no \/dev\/net\/tun/,
  fix: /^modprobe tun$/,
});
fails("a TUN device that is not ours", { devices: { "/dev/net/tun": "refused" } }, {
  check: "tun",
  state: "bad",
  found: /may not be opened/,
  fix: /^chmod 666 \/dev\/net\/tun$/,
});
fails("that little memory may be locked", {
  files: {
    "/proc/self/status": "CapEff:\t0000000000003000\n",
    [LIMITS]:
      "Max locked memory   8388608   8388608   bytes\nMax open files   4096   4096   files\n",
  },
}, { check: "memlock", state: "note", found: /^8192 KiB/, fix: /ulimit -l .*LimitMEMLOCK/ });
fails("that few files may be open", {
  files: {
    [LIMITS]: "Max open files            256                  256                  files\n",
  },
}, { check: "open files", state: "note", found: /^256: too few/, fix: /^ulimit -n 1024$/ });
fails("a small /dev/shm, as containers have", { freeBytes: () => 64 * 10 ** 6 }, {
  check: "shared memory",
  state: "note",
  found: /^61 MiB free .* 64 MiB unless told/,
  fix: /remount,size=1G \/dev\/shm, or culvert host --size/,
});
fails("that there is no /dev/shm", { freeBytes: () => undefined }, {
  check: "shared memory",
  state: "bad",
  found: /no \/dev\/shm/,
  fix: /mount -t tmpfs/,
});
fails("that no hugepage is free", { files: { [`${HUGEPAGES}/free_hugepages`]: "3\n" } }, {
  check: "hugepages",
  state: "note",
  found: /^3 of 2 MiB are free: a region takes 32$/,
  fix: /^echo 64 > \/sys\/\S+\/nr_hugepages$/,
});
fails("that hugetlbfs is mounted nowhere", { files: { "/proc/mounts": "" } }, {
  check: "hugepages",
  state: "note",
  found: /64 of 2 MiB are free, and hugetlbfs is mounted nowhere/,
  fix: /^mount -t hugetlbfs/,
});
fails("that no core is isolated", { files: { [`${CPU}/isolated`]: "\n" } }, {
  check: "cores",
  state: "note",
  found: /^4, and not two of them isolated/,
  fix: /^isolcpus=2-3 nohz_full=2-3 .*; culvert layout/,
});
fails("a machine whose only two cores cannot be isolated", {
  files: { [`${CPU}/isolated`]: "\n", [`${CPU}/online`]: "0-1\n" },
  cores: [0, 1],
}, { check: "cores", state: "note", found: /^2, and not/, fix: /more: the kernel needs one/ });
fails("a machine of one core", { files: { [`${CPU}/online`]: "0\n" }, cores: [0] }, {
  check: "cores",
  state: "note",
  found: /take turns/,
  fix: /--idle sleep/,
});
fails("a core that saves power", {
  files: { [`${CPU}/cpu3/cpufreq/scaling_governor`]: "powersave\n" },
}, {
  check: "governor",
  state: "note",
  found: /^powersave on core 3:/,
  fix: /^cpupower frequency-set -g performance$/,
});
fails("an interface that merges packets for good", {
  prints: { "ethtool -k eth1": "large-receive-offload: on\nrx-fcs: on\nrx-gro-list: off\n" },
}, {
  check: "offloads of eth1",
  state: "bad",
  found: /^large-receive-offload: .*; rx-fcs: /,
  fix: /^ethtool -K eth1 lro off rx-fcs off$/,
});
fails("lists of merged packets", { prints: { "ethtool -k eth1": "rx-gro-list: on\n" } }, {
  check: "offloads of eth1",
  state: "note",
  found: /^rx-gro-list/,
  fix: /^ethtool -K eth1 rx-gro-list off$/,
});
fails("that there is no ethtool", { prints: { "ethtool -k eth1": undefined } }, {
  check: "offloads of eth1",
  state: "note",
  found: /ethtool does not tell/,
  fix: /^apt-get install ethtool$/,
});
fails("an interface that is gone", { files: { "/sys/class/net/eth1/mtu": undefined } }, {
  check: "offloads of eth1",
  state: "bad",
  found: /no interface eth1 here/,
  fix: /ip link/,
});
fails("a region of another build", {
  regions: () => [
    { region: "edge", layout: LAYOUT_VERSION - 1, hash: LAYOUT_HASH },
    { region: "new", layout: 0, hash: 0 },
  ],
}, {
  check: "region edge",
  state: "bad",
  found: new RegExp(`^its layout is ${LAYOUT_VERSION - 1}, .* this build has ${LAYOUT_VERSION}, `),
  fix: /^culvert host --region edge, of this build; VMs in it have to boot again$/,
});
fails("a host, a guest and a server of other builds", {
  programs: () =>
    ["host", "guest", "server"].map((command, i) => ({
      pid: 10 + i,
      command,
      version: i === 2 ? undefined : "1.2.2",
      interfaces: [],
    })),
}, {
  check: "versions",
  state: "note",
  found: /host 10 is 1\.2\.2, guest 11 is 1\.2\.2, server 12 is from files that are gone/,
  fix: /^start them anew/,
});

Deno.test("culvert doctor does not take another user's host for one whose files are gone", async () => {
  const host = { command: "host", version: undefined, isHidden: true, interfaces: [] };
  const programs = () => [{ ...host, pid: 10 }, { ...host, pid: 11 }];
  deepEqual(await complaints({ programs }), []);
  const text = doctorText(await examine(machine({ programs }), [], VERSION), false);
  match(
    text,
    /^ok +versions +culvert 1\.2\.3; root may see the versions of 2 programs of others$/m,
  );
});

Deno.test("culvert doctor looks at interfaces that it is told, and at each once", async () => {
  const [finding, ...others] = await complaints({}, ["eth1", "eth9"]);
  deepEqual([finding.check, others], ["offloads of eth9", []]);
});

Deno.test("culvert doctor notices all at once that a bare container lacks", async () => {
  const files = { "/proc/self/status": NO_CAPABILITIES, [LIMITS]: "" };
  const found = await complaints({ files, devices: { "/dev/net/tun": "absent" } });
  deepEqual(found.map(({ check }) => check), ["capabilities", "tun", "memlock", "open files"]);
});

Deno.test("doctorText() is a line a check, coloured where it is asked for", () => {
  const findings: Finding[] = [
    { check: "a", state: "good", found: "well" },
    { check: "long", state: "note", found: "slow", fix: "do this" },
    { check: "b", state: "bad", found: "broken", fix: "do that" },
  ];
  equal(
    doctorText(findings, false),
    "ok    a     well\nnote  long  slow -> do this\nBAD   b     broken -> do that",
  );
  equal(
    doctorText(findings, true).split("\n")[2],
    "\x1b[31mBAD \x1b[0m  b     broken -> do that",
  );
});

Deno.test("parseCommandLine() knows programs of ours, and their interfaces", () => {
  const args = [
    "deno",
    "run",
    "-A",
    "app/main.ts",
    "host",
    "--port",
    "packet:eth1",
    "--port=tap:t",
  ];
  deepEqual(parseCommandLine([...args, "--port=xdp:eth2,native", ""]), {
    main: "app/main.ts",
    command: "host",
    interfaces: ["eth1", "eth2"],
  });
  equal(parseCommandLine(["deno", "run", "app/main.ts", "inspect"]), undefined);
  equal(parseCommandLine(["node", "other.js", "host"]), undefined);
  equal(parseCommandLine([]), undefined);
});
