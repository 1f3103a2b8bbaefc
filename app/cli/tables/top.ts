import type { Command } from "../command.ts";
import { REGIONS_READ } from "./shared.ts";

/** `culvert top`. */
export const TOP = {
  name: "top",
  summary: "show what hosts, guests and ports are doing, live",
  usage: ["[REGION...] [--interval SECONDS] [-n TIMES]"],
  positionals: [REGIONS_READ],
  options: {
    "interval": {
      kind: "number",
      short: "i",
      argument: "SECONDS",
      least: 0.5,
      most: 3600,
      decimals: true,
      default: 1,
      about: "seconds between two looks",
    },
    "count": {
      kind: "number",
      short: "n",
      argument: "TIMES",
      least: 1,
      most: 1e9,
      otherwise: "until SIGINT, or the key q",
      about: "end after so many looks",
    },
  },
  text: [
    "Shows on the whole screen: of each region the host's state, mbufs, the share of time in " +
    "which each core had work, the lives of guests; of each port frames and bits a second " +
    "(on the wire: with FCS, preamble and gap), drops a second and in all, how full its rx and " +
    "tx rings and its bursts are, and its frames of the last looks. Into a pipe it writes lines, " +
    "with drops by their reasons, and says once that a region is not there. With NO_COLOR set " +
    "there are no colours.",
    "Keys:",
    [
      ["q", "quit"],
      ["s", "sort ports: as the host has them, by rx, tx, drops, name"],
      ["d", "details: drops by reason, a second and in all; all rings; what functions count"],
      ["up, down", "scroll; so do k, j and the page keys"],
    ],
    "Regions and hosts may come and go. What a region says is read from its memory, which its " +
    "server hands out to users that may use the region (--group of host and server), mapped for " +
    "reading alone; host and guests are not slowed down.",
  ],
  examples: [{ line: "culvert top" }, { line: "culvert top culvert0 -n 1 | cat" }],
} as const satisfies Command;
