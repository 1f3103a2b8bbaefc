import { QEMU } from "../vm/qemu.ts";
import { bad, type Finding, good, note, type Probes } from "./check.ts";

/** Where RHEL and its derivatives have QEMU. */
const ELSEWHERE = "/usr/libexec/qemu-kvm";

const DEVICES = ["ivshmem-plain", "ivshmem-doorbell"];

/**
 * Whether QEMU has the devices by which a VM sees a region. RHEL's and KubeVirt's QEMU have not.
 */
export async function checkQemu(probes: Probes): Promise<Finding> {
  let help: string | undefined;
  let program = QEMU;
  for (program of [QEMU, ELSEWHERE]) {
    help = await probes.run(program, "-device", "help");
    if (help !== undefined) break;
  }
  if (help === undefined) {
    return note(
      "QEMU",
      `there is no ${QEMU}: guests can be processes, but not VMs`,
      "apt-get install qemu-system-x86",
    );
  }
  const text = await probes.run(program, "--version");
  const version = /version (\S+)/.exec(text ?? "")?.[1] ?? "of unknown version";
  const missing = DEVICES.filter((device) => !help.includes(`"${device}"`));
  if (missing.length === 0) return good("QEMU", `${version}, has ${DEVICES.join(" and ")}`);
  return bad(
    "QEMU",
    `${program} ${version} was built without ${
      missing.join(" and ")
    }, as RHEL's and KubeVirt's are`,
    "use the QEMU of Debian or Fedora, or build one with CONFIG_IVSHMEM_DEVICE=y (--qemu FILE)",
  );
}

/** What a network card does to frames that no forwarder can undo. */
const OFFLOADS = [
  {
    name: "large-receive-offload",
    word: "lro",
    state: "bad",
    harm: "packets are merged for good, and are longer than the MTU when they are sent on",
  },
  {
    name: "rx-fcs",
    word: "rx-fcs",
    state: "bad",
    harm: "frames come with four bytes of checksum behind them, and go on with these",
  },
  {
    name: "rx-gro-list",
    word: "rx-gro-list",
    state: "note",
    harm: "sums of merged packets are wrong, and made anew for each segment",
  },
] as const;

/** Offloads of the interfaces that hurt a forwarder. */
export async function checkOffloads(
  probes: Probes,
  interfaces: readonly string[],
): Promise<Finding[]> {
  if (interfaces.length === 0) {
    return [good("offloads", "no host has a packet port; culvert doctor IFACE looks at others")];
  }
  return await Promise.all(interfaces.map(async (name) => {
    const check = `offloads of ${name}`;
    if (probes.read(`/sys/class/net/${name}/mtu`) === undefined) {
      return bad(check, `there is no interface ${name} here`, "ip link lists all interfaces");
    }
    const features = await probes.run("ethtool", "-k", name);
    if (features === undefined) {
      return note(check, "ethtool does not tell", "apt-get install ethtool");
    }
    const found = OFFLOADS.filter(({ name }) => new RegExp(`^${name}: on`, "m").test(features));
    if (found.length === 0) return good(check, "none that hurts");
    const [worst] = found;
    const fix = `ethtool -K ${name} ${found.map(({ word }) => `${word} off`).join(" ")}`;
    const harm = found.map(({ name, harm }) => `${name}: ${harm}`).join("; ");
    return { check, state: worst.state, found: harm, fix };
  }));
}
