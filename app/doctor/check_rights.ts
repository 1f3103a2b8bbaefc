import { bad, type Finding, good, note, type Probes } from "./check.ts";

/** Bits of `CapEff` in /proc/self/status (capability.h), and what needs each. */
const CAPABILITIES = [
  { bit: 13, name: "CAP_NET_RAW", use: "packet ports" },
  { bit: 12, name: "CAP_NET_ADMIN", use: "TAPs, promiscuity" },
] as const;

const IPC_LOCK = 14;

/** Bytes of locked memory that an `xdp:` port's mbufs take, with the default region. */
const LOCKED_BYTES = 64 * 2 ** 20;

/** Descriptors that a host with some guests takes, with room to spare. */
const DESCRIPTORS = 1024;

/** The capabilities that a host needs until it is set up. */
export function checkCapabilities(probes: Probes): Finding {
  const missing = CAPABILITIES.filter(({ bit }) => !has(probes, bit));
  if (missing.length === 0) {
    return good("capabilities", CAPABILITIES.map(({ name }) => name).join(", "));
  }
  return bad(
    "capabilities",
    `missing: ${missing.map(({ name, use }) => `${name} (${use})`).join(", ")}`,
    "run culvert host as root (sudo); it gives up all capabilities once it is set up. TAPs that " +
      "are yours need none: ip tuntap add NAME mode tap user $USER",
  );
}

/** Whether TAPs can be made. */
export function checkTun(probes: Probes): Finding {
  const path = "/dev/net/tun";
  switch (probes.open(path)) {
    case "opened":
      return good("tun", `${path} can be opened`);
    case "refused":
      return bad("tun", `${path} may not be opened`, `chmod 666 ${path}`);
    case "absent":
      return bad("tun", `there is no ${path}, hence there are no TAPs`, "modprobe tun");
  }
}

/** Whether we may pin as much memory as `xdp:` ports do. */
export function checkMemlock(probes: Probes): Finding {
  if (has(probes, IPC_LOCK)) return good("memlock", "CAP_IPC_LOCK: no limit");
  const limit = limitOf(probes, "Max locked memory");
  const text = limit === Infinity ? "unlimited" : `${Math.floor(limit / 1024)} KiB`;
  if (limit >= LOCKED_BYTES) return good("memlock", text);
  return note(
    "memlock",
    `${text}: too little for xdp: ports, which pin their mbufs`,
    "ulimit -l unlimited (as root), or LimitMEMLOCK=infinity in the unit",
  );
}

/** Whether enough files may be open at a time. */
export function checkDescriptors(probes: Probes): Finding {
  const limit = limitOf(probes, "Max open files");
  if (limit >= DESCRIPTORS) return good("open files", `${limit}`);
  return note("open files", `${limit}: too few for many guests`, `ulimit -n ${DESCRIPTORS}`);
}

/** Whether this process has a capability, by its bit. */
function has({ read }: Probes, bit: number): boolean {
  const [, hex = "0"] = /^CapEff:\s*([\da-f]+)$/m.exec(read("/proc/self/status") ?? "") ?? [];
  return (BigInt(`0x${hex}`) >> BigInt(bit) & 1n) === 1n;
}

/** The soft limit of a line of /proc/self/limits. */
function limitOf({ read }: Probes, name: string): number {
  const line = new RegExp(`^${name}\\s+(\\S+)`, "m").exec(read("/proc/self/limits") ?? "");
  return line === null ? 0 : line[1] === "unlimited" ? Infinity : Number(line[1]);
}
