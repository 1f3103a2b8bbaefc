import { UsageError } from "../../ffi/error.ts";
import { MODES } from "../guest/functions/mod.ts";
import { type GuestOptions, runGuest } from "../guest/run_guest.ts";
import { parseCoreList, usableCores } from "../linux/core_list.ts";
import { IDLE_MODES } from "../lcore/idle.ts";
import { checkRegionName } from "../memory/region_name.ts";
import { checkUsage, readChoice, readNumber, readOptions, stopSignal } from "./options.ts";
import { BURST_DEFAULT, BURST_MAX } from "../ring/burst.ts";

const USAGE = `culvert guest - forward what a host lends, in the manner of DPDK's l2fwd

usage: culvert guest [--region NAME|PATH | --pci auto|ADDRESS] [options]

  --region NAME|PATH   the host's region, for a process beside it (default culvert0)
  --pci auto|ADDRESS   the host's region as PCI device 1af4:1110, in a VM: the first
                       one, or the one at an address such as 0000:00:04.0
  --guest N            which guest of the host this is (default 0)
  -l CORES             cores to forward on, as 0 or 0,2 or 2-5 (default: the last)
  -p PORTMASK          hexadecimal mask of ports to forward between (default: all)
  -q NQ                ports that one core polls (default: as many as it takes)
  -T SECONDS           print statistics that often, 0: never (default 10)
  --portmap "(0,1)(2,3)"
                       forward between these (default: neighbours; an odd one to itself)
  --[no-]mac-updating  destination becomes 02:00:00:00:00:PORT, source the address of
                       the port that sends (default: they do)
  --forward-mode MODE  l2fwd     as above (default)
                       io        frames as they are
                       mac       addresses written, as l2fwd
                       macswap   addresses swapped
                       icmpecho  answer ARP and ICMP echo requests, drop all else
                       rxonly    receive and drop
                       txonly    send UDP frames as fast as the host lends mbufs
  --txpkts BYTES       length of txonly's frames (default 64)
  --burst N            frames that are moved at a time, 1 to 256 (default 32)
  --idle MODE          when there is nothing to do: poll, sleep until a doorbell rings, or
                       adaptive: poll for 0.3 ms, then sleep (default adaptive). Where
                       there is no doorbell, a sleep is a nap of up to 1 ms
  --help               show this text

Started before the host, it waits. When the host starts anew, it attaches again.

example: culvert guest -l 1 --no-mac-updating -T 1
`;

const OPTIONS = {
  region: { type: "string" },
  pci: { type: "string" },
  guest: { type: "string", default: "0" },
  cores: { type: "string", short: "l" },
  portmask: { type: "string", short: "p" },
  nq: { type: "string", short: "q" },
  "stats-period": { type: "string", short: "T", default: "10" },
  portmap: { type: "string" },
  "mac-updating": { type: "boolean", default: true },
  "forward-mode": { type: "string", default: "l2fwd" },
  txpkts: { type: "string", default: "64" },
  burst: { type: "string", default: String(BURST_DEFAULT) },
  idle: { type: "string", default: "adaptive" },
  help: { type: "boolean", short: "h", default: false },
} as const;

/**
 * Read the options of `culvert guest`; undefined if help was asked for.
 *
 * @throws {UsageError} naming the option, what was found and what is wanted.
 */
export function readGuestOptions(args: string[]): GuestOptions | undefined {
  const values = readOptions(args, OPTIONS);
  if (values.help) return undefined;
  if (values.region !== undefined && values.pci !== undefined) {
    throw new UsageError("Cannot use --region and --pci together: a guest attaches to one of them");
  }
  const region = values.region ?? "culvert0";
  checkUsage(() => checkRegionName(region));
  const nq = values.nq;
  return {
    source: values.pci === undefined ? { region } : { pci: values.pci },
    guest: readNumber("--guest", values.guest, 0, 126),
    cores: values.cores === undefined ? usableCores().slice(-1) : parseCoreList(values.cores),
    mode: readChoice("--forward-mode", values["forward-mode"], Object.keys(MODES)),
    macUpdating: values["mac-updating"],
    portMask: values.portmask,
    portMap: values.portmap,
    portsPerLcore: nq === undefined ? undefined : readNumber("-q", nq, 1, 32),
    statsPeriod: readNumber("-T", values["stats-period"], 0, 86400),
    txBytes: readNumber("--txpkts", values.txpkts, 60, 1514),
    burst: readNumber("--burst", values.burst, 1, BURST_MAX),
    idle: readChoice("--idle", values.idle, IDLE_MODES),
  };
}

/**
 * `culvert guest`: returns the exit status.
 *
 * @param lcoreUrl The module of its lcores.
 */
export async function guestCommand(args: string[], lcoreUrl: URL): Promise<number> {
  const options = readGuestOptions(args);
  if (!options) {
    console.log(USAGE);
    return 0;
  }
  const log = (line: string) => console.error(`culvert guest: ${line}`);
  await runGuest(options, lcoreUrl, stopSignal(), log);
  return 0;
}
