import type { Command } from "../app/cli/command.ts";

/** The areas of the bench, in the order in which they run. */
export const AREAS = ["path", "ports", "tcp", "latency", "ring", "mempool"] as const;

/** `deno task bench`. */
export const BENCH = {
  program: "deno task",
  name: "bench",
  summary: "culvert beside its peers, on this machine",
  usage: [
    "[AREA]... [--quick] [--only TEXT] [--no-peers] [--json FILE] [--plot FILE] [--against DIR]",
  ],
  positionals: [{
    name: "AREA",
    about: "a part of it",
    optional: true,
    many: true,
    choices: AREAS,
  }],
  options: {
    "json": { kind: "text", argument: "FILE", about: "write the results as JSON lines" },
    "plot": { kind: "text", argument: "FILE", about: "draw the results as an SVG" },
    "against": {
      kind: "text",
      argument: "DIR",
      about: "the peer is another checkout of culvert: its bench and ours in turns",
    },
    "turns": {
      kind: "number",
      argument: "N",
      least: 1,
      most: 1000,
      otherwise: "5, with --quick 2, with --against 10",
      about: "how many turns of ours and each peer's",
    },
    "only": {
      kind: "text",
      argument: "TEXT",
      about: 'only what has this in its name: "IPv6 from"',
    },
    "quick": {
      kind: "flag",
      about: "two short turns: proves that it runs, its figures are no results",
    },
    "peers": {
      kind: "flag",
      default: true,
      about: "beside the peers; without DPDK's packages there can be ours alone",
    },
  },
  text: [
    "Without AREA all are measured, which takes some 15 minutes. Uses cores 0 and 1; nothing else " +
    "should be running. all but ring and mempool need root. The peers need: apt-get " +
    "install --no-install-recommends dpdk dpdk-dev libdpdk-dev iperf3 iputils-ping",
    "SIGINT, SIGTERM and SIGHUP end it; what it made is removed.",
  ],
} as const satisfies Command;
