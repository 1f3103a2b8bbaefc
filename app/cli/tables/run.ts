import type { Command } from "../command.ts";
import { GUEST } from "./guest.ts";
import { HOST } from "./host.ts";
import { LOG } from "./shared.ts";

const { port, mtu } = HOST.options;
const { set, "stats-period": statsPeriod } = GUEST.options;

/** `culvert run`. */
export const RUN = {
  name: "run",
  summary: "a host and a guest in one process: for a first try",
  usage: ["--port KIND:NAME... [--function FILE|NAME]... [options]"],
  options: {
    port: {
      ...port,
      about:
        "a port: tap:NAME, packet:IFACE, xdp:IFACE, null, ring, link:NAME or pcap:IN, as culvert " +
        "host --help tells them. Ports are numbered from 0, in the order of the command line",
    },
    "stats-period": statsPeriod,
    "function": GUEST.options.function,
    set,
    "on-error": GUEST.options["on-error"],
    check: GUEST.options.check,
    types: GUEST.options.types,
    "mac-updating": GUEST.options["mac-updating"],
    mtu,
    ...LOG,
  },
  text: [
    "The host has the first core, the guest the last; frames go between them through a region, " +
    "as they do between processes. It keeps its privileges, and no other guest can attach: " +
    "culvert host and culvert guest are for that. Its first lines tell the path of the region, by " +
    "which culvert top, inspect and capture --region look at it.",
  ],
  examples: [{ line: "culvert run --port packet:a --port packet:b --function ./my.ts" }],
} as const satisfies Command;
