import { adviseCores } from "../linux/core_advice.ts";
import { cpuListText, readCpuLayout } from "../linux/cpu_layout.ts";
import { parseHugetlbMounts } from "../vm/host_machine.ts";
import { bad, type Finding, good, note, type Probes } from "./check.ts";

/** Bytes of a region, unless a host is told otherwise. */
const REGION_BYTES = 64 * 2 ** 20;

const HUGEPAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB";
const HUGEPAGE_BYTES = 2 ** 21;

/** Whether VMs can run on the processor itself. */
export function checkKvm(probes: Probes): Finding {
  switch (probes.open("/dev/kvm")) {
    case "opened":
      return good("KVM", "/dev/kvm can be opened");
    case "refused":
      return bad(
        "KVM",
        "/dev/kvm is there and may not be opened",
        "usermod -aG kvm $USER, and log in again",
      );
    case "absent":
      return note(
        "KVM",
        "there is no /dev/kvm: VMs are emulated, and their loops 10 to 20 times slower",
        /^flags\s*:.*\b(vmx|svm)\b/m.test(probes.read("/proc/cpuinfo") ?? "")
          ? "modprobe kvm_intel, or kvm_amd"
          : "turn virtualization on in the firmware, or nested virtualization in the VM around us",
      );
  }
}

/** Room for a region in /dev/shm. */
export function checkSharedMemory({ freeBytes }: Probes): Finding {
  const free = freeBytes("/dev/shm");
  if (free === undefined) {
    return bad("shared memory", "there is no /dev/shm", "mount -t tmpfs shm /dev/shm");
  }
  const text = `${Math.floor(free / 2 ** 20)} MiB free in /dev/shm`;
  if (free >= REGION_BYTES) return good("shared memory", text);
  return note(
    "shared memory",
    `${text}: a region has 64 MiB unless told otherwise`,
    "mount -o remount,size=1G /dev/shm, or culvert host --size",
  );
}

/** Hugepages for a region by a path on hugetlbfs. */
export function checkHugepages({ read }: Probes): Finding {
  const free = Number(read(`${HUGEPAGES}/free_hugepages`) ?? 0);
  const wanted = REGION_BYTES / HUGEPAGE_BYTES;
  if (free < wanted) {
    return note(
      "hugepages",
      `${free} of 2 MiB are free: a region takes ${wanted}`,
      `echo ${2 * wanted} > ${HUGEPAGES}/nr_hugepages`,
    );
  }
  const [mount] = parseHugetlbMounts(read("/proc/mounts") ?? "");
  return mount ? good("hugepages", `${free} of 2 MiB are free, at ${mount.folder}`) : note(
    "hugepages",
    `${free} of 2 MiB are free, and hugetlbfs is mounted nowhere`,
    "mount -t hugetlbfs none /dev/hugepages",
  );
}

/** Cores for a host's and a guest's lcore, which nobody else uses. */
export function checkCores(probes: Probes): Finding {
  const read = (path: string) => probes.read(`/sys/devices/system/${path}`);
  const layout = readCpuLayout(read, probes.cores);
  const advice = adviseCores(layout);
  const isolated = layout.cpus.filter(({ isIsolated }) => isIsolated).map(({ cpu }) => cpu);
  if (advice === undefined || layout.cpus.length < 2) {
    return note(
      "cores",
      "there is one: host and guest take turns on it",
      "culvert host --idle sleep, culvert guest --idle sleep",
    );
  }
  if (isolated.length >= 2) return good("cores", `isolated: ${cpuListText(isolated)}`);
  const lcores = [...new Set([...advice.host, ...advice.guest])];
  const list = cpuListText(lcores);
  const found = `${layout.cpus.length}, and not two of them isolated: others run there, too`;
  return layout.cpus.length > lcores.length
    ? note(
      "cores",
      found,
      `isolcpus=${list} nohz_full=${list} on the kernel's command line; culvert layout tells more`,
    )
    : note("cores", found, "a machine with more: the kernel needs one for itself");
}

/** What sets the frequency of the cores that we may use. */
export function checkGovernor({ read, cores }: Probes): Finding {
  const governors = cores.map((core) => ({
    core,
    governor: read(`/sys/devices/system/cpu/cpu${core}/cpufreq/scaling_governor`)?.trim(),
  })).filter(({ governor }) => governor !== undefined);
  const slow = governors.filter(({ governor }) => governor !== "performance");
  if (governors.length === 0) return good("governor", "the machine does not change frequencies");
  if (slow.length === 0) return good("governor", "performance");
  return note(
    "governor",
    `${slow[0].governor} on core ${
      cpuListText(slow.map(({ core }) => core))
    }: a core that was idle is ` +
      "slow to speed up",
    "cpupower frequency-set -g performance",
  );
}
