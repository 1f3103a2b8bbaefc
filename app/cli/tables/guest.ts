import type { Command } from "../command.ts";
import { BURST, CORES, GUEST_NUMBER, IDLE, LOG, REGION, STATS_PERIOD, TYPES } from "./shared.ts";

/** The heading of options about what is done to frames. */
const FUNCTIONS = "what is done to frames";

/** `culvert guest`. */
export const GUEST = {
  name: "guest",
  summary: "forward what a host lends, in the manner of DPDK's l2fwd",
  usage: ["[--region NAME|PATH | --pci auto|ADDRESS] [options]"],
  options: {
    "region": {
      ...REGION,
      otherwise: "culvert0",
      about: "the host's region, for a process beside it",
    },
    "pci": {
      kind: "text",
      argument: "auto|ADDRESS",
      words: ["auto"],
      about: "the host's region as PCI device 1af4:1110, in a VM: the first one, or the one at " +
        "an address such as 0000:00:04.0",
    },
    "guest": {
      ...GUEST_NUMBER,
      default: 0,
      about: "which guest of the host this is",
    },
    "cores": {
      ...CORES,
      otherwise: "the last",
      about: "cores to forward on, as 0 or 0,2 or 2-5",
    },
    "portmask": {
      kind: "text",
      short: "p",
      argument: "PORTMASK",
      otherwise: "all",
      about: "hexadecimal mask of ports to forward between",
    },
    "nq": {
      kind: "number",
      short: "q",
      argument: "NQ",
      least: 1,
      most: 32,
      otherwise: "as many as it takes",
      about: "ports that one core polls, or queues of ports that have several",
    },
    "stats-period": {
      ...STATS_PERIOD,
      default: 10,
      about: "print statistics that often; 0: never",
    },
    "portmap": {
      kind: "text",
      argument: '"(0,1)(2,3)"',
      otherwise: "neighbours; an odd one to itself",
      about: "pairs of ports to forward between",
    },
    "function": {
      kind: "text",
      argument: "FILE|NAME",
      many: true,
      otherwise: "l2fwd",
      group: FUNCTIONS,
      about:
        "what is done to frames: a file of yours, as ./my.ts, or one that comes with culvert. " +
        "Several make a chain: each gets the frames that the one before has kept",
    },
    "set": {
      kind: "text",
      argument: "KEY=VALUE",
      many: true,
      group: FUNCTIONS,
      about: "an option of the function before, as its file describes it",
    },
    "on-error": {
      kind: "choice",
      argument: "WHAT",
      choices: ["pass", "drop", "stop"],
      default: "drop",
      group: FUNCTIONS,
      about: "what becomes of a burst whose function has thrown: it goes on, it is dropped and " +
        "counted as failed, or the guest stops",
    },
    "check": {
      kind: "flag",
      group: FUNCTIONS,
      about: "check all that functions do while they do it, and tell the place of a mistake in " +
        "their files; slower",
    },
    "types": { ...TYPES, group: FUNCTIONS },
    "push": {
      kind: "flag",
      group: FUNCTIONS,
      about: "take functions that culvert push leaves in the region. The host and other guests " +
        "can write there: each of them can then run code in this guest, with its rights",
    },
    "mac-updating": {
      kind: "flag",
      default: true,
      group: FUNCTIONS,
      about: "of l2fwd: destination becomes 02:00:00:00:00:PORT, source the address of the port " +
        "that sends",
    },
    "forward-mode": {
      kind: "choice",
      argument: "MODE",
      choices: ["l2fwd", "io", "mac", "macswap", "icmpecho", "rxonly", "txonly"],
      meanings: {
        l2fwd: "forward; addresses are written unless --no-mac-updating",
        io: "frames as they are",
        mac: "addresses written, as l2fwd",
        macswap: "addresses swapped",
        icmpecho: "answer ARP and ICMP echo requests, drop all else",
        rxonly: "receive and drop",
        txonly: "send UDP frames as fast as the host lends mbufs",
      },
      otherwise: "l2fwd",
      group: FUNCTIONS,
      about: "the same as --function, as testpmd calls it",
    },
    "txpkts": {
      kind: "number",
      argument: "BYTES",
      least: 60,
      most: 1514,
      default: 64,
      group: FUNCTIONS,
      about: "of txonly: length of its frames",
    },
    "burst": BURST,
    "idle": IDLE,
    ...LOG,
  },
  text: ["Started before the host, it waits. When the host starts anew, it attaches again."],
  examples: [{ line: "culvert guest -l 1 --no-mac-updating -T 1" }],
} as const satisfies Command;
