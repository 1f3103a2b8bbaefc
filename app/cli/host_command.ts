import { UsageError } from "../../ffi/error.ts";
import type { HostOptions } from "../host/host_options.ts";
import { runHost } from "../host/run_host.ts";
import { readRegions } from "./host_places.ts";
import { hostLockPath } from "../region/host_lock.ts";
import { parseCoreList, usableCores } from "../linux/core_list.ts";
import { IDLE_MODES } from "../lcore/idle.ts";
import {
  dropPrivileges,
  type Duties,
  endDuties,
  giveUpPermissions,
  ownsRootsFiles,
  STILL_ROOT,
} from "../linux/privileges.ts";
import { limitLog } from "./log_limit.ts";
import { isPath } from "../memory/region_name.ts";
import { readChoice, readNumber, readOrderedOptions, stopSignal } from "./options.ts";
import { BURST_DEFAULT, BURST_MAX } from "../ring/burst.ts";

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
  --quarantine-after N violations after which a guest is put in quarantine until the host is
                       started anew; 0: never (default 1000)
  --hold-max N         mbufs that one guest may hold (default: its region's, divided by the
                       guests there)
  --wipe               wipe a region's mbufs when its guest has gone, so that the next one does
                       not find the frames of that one in them. For regions with one guest
  -T SECONDS           print a table that often (default 0: never)
  --group NAME         a group that may use the regions, too: sockets and region files that
                       are made get mode 0660 and that group, not 0600
  --user NAME          the user to become once all is set up; the server becomes it, too,
                       and sockets and region files are that user's. Recommended where root
                       starts it: root's files are root's even without capabilities
  --help               show this text

SIGINT or SIGTERM brings home what is under way and prints a summary.

Once set up it gives up all capabilities in all threads, and what Deno permits. A small
process, culvert-keeper, keeps CAP_NET_ADMIN and CAP_NET_RAW for the interfaces that were
named, to open them again if they are deleted and made again.

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
  group: { type: "string" },
  user: { type: "string" },
  "quarantine-after": { type: "string" },
  "hold-max": { type: "string" },
  wipe: { type: "boolean", default: false },
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
  const regions = readRegions(ordered);
  if (values.wipe) checkWipe(regions);
  return {
    regions,
    mtu: readNumber("--mtu", values.mtu, 68, 9216),
    cores: values.cores === undefined ? usableCores().slice(0, 1) : parseCoreList(values.cores),
    burst: readNumber("--burst", values.burst, 1, BURST_MAX),
    idle: readChoice("--idle", values.idle, IDLE_MODES),
    statsPeriod: readNumber("-T", values["stats-period"], 0, 86400),
    ...readTrust(values["quarantine-after"], values["hold-max"]),
    ...values.wipe ? { wipe: true } : {},
    account: { user: values.user, group: values.group },
  };
}

/** Guests of one region see each other's frames as they are: wiping what one leaves would hide nothing. */
function checkWipe(regions: HostOptions["regions"]): void {
  const shared = regions.find(({ guests }) => guests.length > 1);
  if (!shared) return;
  throw new UsageError(
    `Cannot use --wipe with region ${shared.name} as it has ${shared.guests.length} guests: they see ` +
      `each other's frames anyway, so give each a region of its own`,
  );
}

/** How far guests are trusted, where the command line says so. */
function readTrust(
  after: string | undefined,
  holdMax: string | undefined,
): Pick<HostOptions, "quarantineAfter" | "holdMax"> {
  const limit = (name: string, text: string, least: number) =>
    readNumber(name, text, least, 2 ** 24);
  return {
    ...after === undefined ? {} : { quarantineAfter: limit("--quarantine-after", after, 0) },
    ...holdMax === undefined ? {} : { holdMax: limit("--hold-max", holdMax, 1) },
  };
}

/** `culvert host`: returns the exit status. */
export async function hostCommand(args: string[]): Promise<number> {
  const options = readHostOptions(args);
  if (!options) {
    console.log(USAGE);
    return 0;
  }
  const log = limitLog((line) => console.error(`culvert host: ${line}`), { sourceOf: guestIn });
  const lcoreUrl = new URL("../host/lcore_worker.ts", import.meta.url);
  const settled = () => {
    dropPrivileges(options.account ?? {}, dutiesOf(options));
    if (ownsRootsFiles()) log(STILL_ROOT);
    giveUpPermissions();
  };
  try {
    console.log(await runHost(options, lcoreUrl, stopSignal(), log, undefined, settled));
  } finally {
    log.flush();
    endDuties();
  }
  return 0;
}

/** Of which guest a line is: of what it may cause, no other line must be suppressed. */
export function guestIn(line: string): string {
  return /^guest \d+( of region \S+)?/.exec(line)?.[0] ?? "";
}

/** What a host may have to open again, and what it removes in the end. */
function dutiesOf({ regions }: HostOptions): Duties {
  const ports = regions.flatMap(({ guests }) => guests.flatMap(({ ports }) => ports));
  const interfaces = ports.filter(({ kind }) => kind === "tap" || kind === "packet");
  return {
    interfaces: interfaces.map(({ name }) => name),
    files: regions.flatMap(({ name }) => [hostLockPath(name), isPath(name) ? name : undefined])
      .filter((path) => path !== undefined),
  };
}
