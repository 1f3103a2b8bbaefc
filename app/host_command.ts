import type { HostOptions } from "./host/host_options.ts";
import { runHost } from "./host/run_host.ts";
import { readRegions } from "./host_places.ts";
import { parseCoreList, usableCores } from "./lcore/core_list.ts";
import { IDLE_MODES } from "./lcore/idle.ts";
import { readChoice, readNumber, readOrderedOptions, stopSignal } from "./options.ts";
import { BURST_DEFAULT, BURST_MAX } from "./ring/burst.ts";

const USAGE = `culvert host - open ports and lend their frames to guests

usage: culvert host [--region NAME|PATH] [--guest N] --port KIND:NAME ... [options]

  --port tap:NAME      a TAP: made, and gone at the end, or one that is there
  --port packet:IFACE  an existing interface, by AF_PACKET, promiscuous meanwhile
  --port null[:BYTES]  a port that makes frames (64 bytes; 0: none) and swallows all
  --port ring[:NAME]   a port that receives what it is sent
  --port link:NAME     one of two ends: what a guest sends here, another guest receives at
                       the other end. Within a region frames are handed over, between
                       regions they are copied
                       Ports are numbered from 0 for each guest, as they are named here.
  --guest N            the ports behind this are those of guest N (default 0)
  --region NAME|PATH   the guests and ports behind this are in this region, which is where
                       guests find us (default culvert0); a single one may also come last.
                       A NAME is kept by \`culvert server\`, at /run/culvert/NAME.sock; one is
                       started if there is none, and ends when nobody uses the region. A PATH
                       is a server's socket, or a file in /dev/shm or on hugetlbfs. Started
                       again, a host goes on with the region that is there

of the region that they stand behind, or, before the first, of all regions:
  --size BYTES         its size, a power of two (default: as it is, 64M if it is new)
  --mbufs N            packet buffers (default 8192)
  --ring-size N        slots of each ring, a power of two (default 1024)
  --numa-node N        keep its memory on this node (default: wherever it is used first)

of the host:
  --mtu BYTES          MTU of TAPs that are made, and longest frame: MTU + 14 + two VLAN
                       tags (default 1500). Longer ones are dropped and counted
  -l CORES             cores to forward on, as 0 or 0,2 or 2-5 (default: the first).
                       Ports are dealt to them in turn, both ends of a link to one core
  --burst N            frames that are moved at a time, 1 to 256 (default 32)
  --idle MODE          when there is nothing to do: poll, sleep until a doorbell rings, or
                       adaptive: poll for 0.3 ms, then sleep (default adaptive). Where
                       there is no doorbell, a sleep is a nap of up to 1 ms
  -T SECONDS           print a table that often (default 0: never)
  --help               show this text

SIGINT or SIGTERM brings home what is under way and prints a summary.

examples:
  culvert host --port tap:tap0 --port packet:eth1 -l 2 --region /dev/shm/culvert0

  one region, tap0 - guest 0 - guest 1 - tap1; the guests trust each other:
  culvert host --port tap:tap0 --port link:ab --guest 1 --port link:ab --port tap:tap1

  a region each, the same chain; the guests cannot see each other's memory:
  culvert host --region a --port tap:tap0 --port link:ab --region b --port link:ab --port tap:tap1
`;

const OPTIONS = {
  port: { type: "string", multiple: true },
  guest: { type: "string", multiple: true },
  region: { type: "string", multiple: true },
  size: { type: "string", multiple: true },
  mbufs: { type: "string", multiple: true },
  "ring-size": { type: "string", multiple: true },
  "numa-node": { type: "string", multiple: true },
  mtu: { type: "string", default: "1500" },
  cores: { type: "string", short: "l" },
  burst: { type: "string", default: String(BURST_DEFAULT) },
  idle: { type: "string", default: "adaptive" },
  "stats-period": { type: "string", short: "T", default: "0" },
  help: { type: "boolean", short: "h", default: false },
} as const;

/**
 * Read the options of `culvert host`; undefined if help was asked for.
 *
 * @throws {UsageError} naming the option, what was found and what is wanted.
 */
export function readHostOptions(args: string[]): HostOptions | undefined {
  const { values, ordered } = readOrderedOptions(args, OPTIONS);
  if (values.help) return undefined;
  return {
    regions: readRegions(ordered),
    mtu: readNumber("--mtu", values.mtu, 68, 9216),
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
