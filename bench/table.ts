import type { Command } from "../app/cli/command.ts";

/** `deno task bench`. */
export const BENCH = {
  program: "deno task",
  name: "bench",
  summary: "rings, memory round trip and ports, beside DPDK on this machine",
  usage: ["[--only NAME]... [--quick] [--no-peers] [--json FILE]"],
  options: {
    "only": {
      kind: "choice",
      argument: "NAME",
      many: true,
      choices: ["ring", "mempool", "round-trip", "ports"],
      otherwise: "all",
      about: "one section; may be repeated",
    },
    "quick": {
      kind: "flag",
      about: "two short turns instead of five full ones: proves that it runs",
    },
    "peers": {
      kind: "flag",
      default: true,
      about: "beside the peers; without DPDK's packages there can be ours alone",
    },
    "json": { kind: "text", argument: "FILE", about: "write the results as JSON lines too" },
  },
  text: [
    "Uses cores 0 and 1; nothing else should be running. The peers need: apt-get install " +
    "--no-install-recommends dpdk dpdk-dev libdpdk-dev",
  ],
} as const satisfies Command;
