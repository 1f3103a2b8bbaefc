import type { Opened, Probes } from "../../app/doctor/check.ts";
import { LAYOUT_HASH, LAYOUT_VERSION } from "../../app/memory/layout.ts";

/** Its answers: files, devices, and programs by their command lines. */
export interface Answers extends Partial<Probes> {
  readonly files?: Readonly<Record<string, string | undefined>>;
  readonly devices?: Readonly<Record<string, Opened>>;
  readonly prints?: Readonly<Record<string, string | undefined>>;
}

const CPU = "/sys/devices/system/cpu";
const HUGEPAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB";

const FILES: Readonly<Record<string, string>> = {
  "/proc/self/status": "Name:\tdeno\nCapEff:\t000001ffffffffff\n",
  "/proc/self/limits":
    "Max locked memory         65536                65536                bytes\n" +
    "Max open files            20000                20000                files\n",
  "/proc/mounts": "hugetlbfs /dev/hugepages hugetlbfs rw,pagesize=2M 0 0\n",
  "/proc/cpuinfo": "flags\t\t: fpu vmx sse2\n",
  [`${HUGEPAGES}/free_hugepages`]: "64\n",
  [`${CPU}/online`]: "0-3\n",
  [`${CPU}/present`]: "0-3\n",
  [`${CPU}/isolated`]: "2-3\n",
  [`${CPU}/cpu2/cpufreq/scaling_governor`]: "performance\n",
  [`${CPU}/cpu3/cpufreq/scaling_governor`]: "performance\n",
  "/sys/class/net/eth1/mtu": "1500\n",
};

const PRINTS: Readonly<Record<string, string>> = {
  "qemu-system-x86_64 -device help":
    'name "ivshmem-doorbell", bus PCI\nname "ivshmem-plain", bus PCI\n',
  "qemu-system-x86_64 --version": "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\n",
  "ethtool -k eth1": "Features for eth1:\nlarge-receive-offload: off [fixed]\nrx-fcs: off\n" +
    "rx-gro-list: off\n",
};

/** A machine that has all that culvert could wish for, but for these answers. */
export function machine({ files, devices, prints, ...others }: Answers = {}): Probes {
  const all = { ...FILES, ...files }, printed = { ...PRINTS, ...prints };
  return {
    read: (path) => all[path],
    open: (path) => devices?.[path] ?? "opened",
    run: (...words) => Promise.resolve(printed[words.join(" ")]),
    cores: [2, 3],
    freeBytes: () => 2 ** 30,
    programs: () => [{ pid: 7, command: "host", version: "1.2.3", interfaces: ["eth1"] }],
    regions: () => [{ region: "edge", layout: LAYOUT_VERSION, hash: LAYOUT_HASH }],
    ...others,
  };
}
