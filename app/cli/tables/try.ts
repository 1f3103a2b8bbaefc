import type { Command } from "../command.ts";
import { MTU, TYPES } from "./shared.ts";

/** `culvert try`. */
export const TRY = {
  name: "try",
  summary: "run a network function over a capture, without root",
  usage: ["FUNCTION IN [OUT] [options]"],
  positionals: [
    {
      name: "FUNCTION",
      about: "a file of yours, as ./my.ts, or one that comes with culvert, as l2fwd",
    },
    { name: "IN", about: "the capture: pcap or pcapng, of Ethernet" },
    {
      name: "OUT",
      optional: true,
      about: "what is sent is written there, with its times: pcapng if its name ends in .pcapng, " +
        "with an interface for each port; else pcap, which does not tell ports",
    },
  ],
  options: {
    "function": {
      kind: "text",
      argument: "FILE|NAME",
      many: true,
      otherwise: "none",
      about: "a function that gets the frames that the one before has kept: a chain",
    },
    "set": {
      kind: "text",
      argument: "KEY=VALUE",
      many: true,
      about: "an option of the function before (FUNCTION, unless a --function stands before it), " +
        "as its file describes it",
    },
    "ports": {
      kind: "number",
      argument: "N",
      least: 1,
      most: 32,
      otherwise: "2, or as many as IN has interfaces",
      about: "ports that the guest has: neighbours are paired, an odd one with itself",
    },
    "mtu": {
      ...MTU,
      about: "the mbufs have room for frames of this MTU at least",
    },
    "on-error": {
      kind: "choice",
      argument: "WHAT",
      choices: ["pass", "drop"],
      default: "drop",
      about: "what becomes of a burst whose function has thrown: it goes on, or it is dropped",
    },
    "types": TYPES,
    "verbose": { kind: "flag", short: "v", about: "tell of each frame what became of it" },
  },
  text: [
    "Frames come by port 0, or by the port that has the number of their interface. Those that " +
    "come within 100 microseconds by one port are a burst. For timers and for context.now, time " +
    "passes as the capture tells.",
    "Exit status: 0, 1 if the function has thrown or the capture cannot be read to its end, 2 " +
    "for a wrong command line.",
  ],
  examples: [{ line: "culvert try ./no_arp.ts in.pcap out.pcapng -v" }],
} as const satisfies Command;
