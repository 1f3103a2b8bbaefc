import { UsageError } from "../ffi/error.ts";
import type { HostOptions } from "./host/run_host.ts";
import { runHost } from "./host/run_host.ts";
import { parseCoreList, usableCores } from "./lcore/core_list.ts";
import { IDLE_MODES } from "./lcore/idle.ts";
import {
  checkUsage,
  readChoice,
  readNumber,
  readOptions,
  readSize,
  stopSignal,
} from "./options.ts";
import { checkRegionBytes } from "./memory/region.ts";
import { checkRegionName } from "./memory/region_name.ts";
import { checkInterfaceName } from "./port/interface.ts";
import { parsePortSpec } from "./port/port_spec.ts";
import { checkRingSize } from "./ring/ring_size.ts";
import { BURST_DEFAULT, BURST_MAX } from "./ring/burst.ts";

const USAGE = `culvert host - open ports and lend their frames to a guest

usage: culvert host --port KIND:NAME ... [options]

  --port tap:NAME      a TAP: made, and gone at the end, or one that is there
  --port packet:IFACE  an existing interface, by AF_PACKET, promiscuous meanwhile
  --port null[:BYTES]  a port that makes frames (64 bytes; 0: none) and swallows all
  --port ring[:NAME]   a port that receives what it is sent
                       Ports are numbered from 0 as they are named here.
  --region NAME|PATH   where the guest finds us (default culvert0). A NAME is a sealed
                       memfd, handed out at /run/culvert/NAME.sock; a PATH a file, in
                       /dev/shm or on hugetlbfs. Starting again on a PATH goes on with it
  --size BYTES         size of the region, a power of two (default 64M)
  --mbufs N            packet buffers (default 8192)
  --mtu BYTES          MTU of TAPs that are made, and longest frame: MTU + 14 + two VLAN
                       tags (default 1500). Longer ones are dropped and counted
  --ring-size N        slots of each ring, a power of two (default 1024)
  -l CORES             cores to forward on, as 0 or 0,2 or 2-5 (default: the first).
                       Ports are dealt to them in turn
  --burst N            frames that are moved at a time, 1 to 256 (default 32)
  --idle poll|backoff  when there is nothing to do: poll at full speed, or poll for a
                       while and then sleep up to 1 ms at a time (default backoff)
  -T SECONDS           print a table that often (default 0: never)
  --help               show this text

SIGINT or SIGTERM brings home what is under way and prints a summary.

example: culvert host --port tap:tap0 --port packet:eth1 -l 2 --region /dev/shm/culvert0
`;

const OPTIONS = {
  port: { type: "string", multiple: true },
  region: { type: "string", default: "culvert0" },
  size: { type: "string", default: "64M" },
  mbufs: { type: "string", default: "8192" },
  mtu: { type: "string", default: "1500" },
  "ring-size": { type: "string", default: "1024" },
  cores: { type: "string", short: "l" },
  burst: { type: "string", default: String(BURST_DEFAULT) },
  idle: { type: "string", default: "backoff" },
  "stats-period": { type: "string", short: "T", default: "0" },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** Ports that one region has channels for. */
const PORTS_MAX = 32;

/**
 * Read the options of `culvert host`; undefined if help was asked for.
 *
 * @throws {UsageError} naming the option, what was found and what is wanted.
 */
export function readHostOptions(args: string[]): HostOptions | undefined {
  const values = readOptions(args, OPTIONS);
  if (values.help) return undefined;
  const ports = (values.port ?? []).map(parsePortSpec);
  for (const { kind, name } of ports) {
    if (kind === "tap" || kind === "packet") checkUsage(() => checkInterfaceName(name));
  }
  if (ports.length === 0 || ports.length > PORTS_MAX) {
    throw new UsageError(
      `Cannot forward between ${ports.length} ports: name 1 to ${PORTS_MAX} with --port KIND:NAME`,
    );
  }
  const twice = ports.find(({ kind, name }, i) =>
    name !== "" && kind !== "null" &&
    ports.findIndex((other) => other.kind === kind && other.name === name) !== i
  );
  if (twice) {
    throw new UsageError(`Cannot use port ${twice.kind}:${twice.name} twice: name it once`);
  }
  const ringSize = readNumber("--ring-size", values["ring-size"], 2, 2 ** 20);
  checkUsage(() => checkRingSize(ringSize));
  const size = readSize("--size", values.size);
  checkUsage(() => checkRegionBytes(size, values.region));
  checkUsage(() => checkRegionName(values.region));
  return {
    ports,
    region: values.region,
    size,
    mbufs: readNumber("--mbufs", values.mbufs, 64, 2 ** 24),
    mtu: readNumber("--mtu", values.mtu, 68, 9216),
    ringSize,
    cores: values.cores === undefined ? usableCores().slice(0, 1) : parseCoreList(values.cores),
    burst: readNumber("--burst", values.burst, 1, BURST_MAX),
    idle: readChoice("--idle", values.idle, IDLE_MODES),
    statsPeriod: readNumber("-T", values["stats-period"], 0, 86400),
  };
}

/** `culvert host`: returns the exit status. */
export async function hostCommand(args: string[]): Promise<number> {
  const options = readHostOptions(args);
  if (!options) {
    console.log(USAGE);
    return 0;
  }
  const log = (line: string) => console.error(`culvert host: ${line}`);
  const lcoreUrl = new URL("./host/lcore_worker.ts", import.meta.url);
  console.log(await runHost(options, lcoreUrl, stopSignal(), log));
  return 0;
}
