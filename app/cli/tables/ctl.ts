import type { Command } from "../command.ts";
import { GUEST_NUMBER } from "./shared.ts";

/** `culvert ctl`. */
export const CTL = {
  name: "ctl",
  summary: "change what a host does while it runs, or ask it (culvert host --control NAME)",
  usage: ["NAME COMMAND... [--guest N] [--region NAME|PATH]", "NAME /PATH[,PARAMETERS]"],
  options: {
    "guest": {
      ...GUEST_NUMBER,
      otherwise: "0; to delete, any",
      about: "the guest that gets or loses a port; it is added if the host does not have it",
    },
    "region": {
      kind: "text",
      argument: "NAME|PATH",
      otherwise: "the host's first; to delete, any",
      about: "its region",
    },
  },
  positionals: [
    { name: "NAME", about: "the host's, as it was given to --control" },
    { name: "COMMAND", about: "what to do: see below", many: true },
  ],
  text: [
    [
      [
        "port add PORT",
        "add a port, as --port of culvert host names it, behind its guest's others",
      ],
      ["port del PORT", "delete one; a guest without ports goes, too"],
      ["guest add N PORT", "add guest N with a port"],
      ["set NAME VALUE", "idle, burst, stats-period, quarantine-after or hold-max"],
      ["reload", "read the file of --config again, as SIGHUP does"],
      ["show", "what the host does now"],
      ["stats", "what each port has received, sent and dropped"],
      ["drain", "take no more frames, bring home those under way, and end"],
    ],
    "A change lets frames wait in the kernel until guests have attached again, and loses none; how " +
    "long that was is printed. Interfaces that are added have to be among those of --may-add. " +
    "Regions, their memory and cores stay as they are: they need a restart, as does any change of a " +
    "host with a port xdp:. A configuration file is not written: write there, too, what the next " +
    "start is to know.",
    "The socket speaks DPDK's telemetry protocol: /ethdev/list, /ethdev/stats,0, /ring/info,NAME, " +
    "/mempool/info,NAME and others; / lists them. DPDK's own client finds it by " +
    "RUNTIME_DIRECTORY=/run/culvert dpdk-telemetry.py -f NAME.",
  ],
  examples: [
    { line: "culvert ctl edge port add packet:eth2 --guest 1" },
    { line: "culvert ctl edge /ethdev/stats,0" },
  ],
} as const satisfies Command;
