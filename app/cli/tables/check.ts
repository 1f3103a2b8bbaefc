import type { Command } from "../command.ts";

/** `culvert check`. */
export const CHECK = {
  name: "check",
  summary: "check a configuration file of a host, and tell all that is wrong with it",
  usage: ["FILE"],
  options: {},
  positionals: [{ name: "FILE", about: "a TOML file, as culvert host --config reads it" }],
  text: [
    "Keys are the names of the options of culvert host. What stands at the top is for the host, or " +
    "for all regions. Each [[region]] has a name, options of its own, and ports of guest 0; or a " +
    "[[region.guest]] for each guest, with its number and ports. Order counts, as it does on the " +
    "command line: ports are numbered from 0 for each guest.",
    "Nothing is opened. Each fault is told as FILE:LINE:COLUMN, and makes the exit status 1. Keys " +
    "and values come first; once these are right, ports, guests and regions that cannot be used; " +
    "then what does not fit together.",
  ],
  examples: [{ line: "culvert check /etc/culvert/edge.toml" }],
} as const satisfies Command;
