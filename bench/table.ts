import type { Command } from "../app/cli/command.ts";

/**
 * The areas of the bench, in the order in which they run, and how long each takes: seconds for all
 * its rows, beside all peers, in five turns.
 */
export const AREA_SECONDS = {
  path: 240,
  ports: 450,
  tcp: 480,
  latency: 80,
  capture: 130,
  vm: 100,
  scale: 100,
  ring: 130,
  mempool: 20,
} as const;

/** Their names. */
export const AREAS = Object.keys(AREA_SECONDS) as readonly (keyof typeof AREA_SECONDS)[];

/** Turns of a full run. */
export const TURNS = 5;

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
      otherwise: `${TURNS}, with --quick 2`,
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
    "Without AREA all are measured; how long that takes is told first. Uses cores 0 and 1; " +
    "nothing else should be running. All but ring and mempool need root. The areas " +
    "themselves need packages, too: tcp iperf3, latency iputils-ping, vm qemu-system-x86, " +
    "busybox-static and lz4. The peers need: apt-get install --no-install-recommends dpdk " +
    "dpdk-dev libdpdk-dev",
    "Ends with a verdict: the ratios that are not as wanted, and how many are.",
    "SIGINT, SIGTERM and SIGHUP end it; what it made is removed.",
  ],
} as const satisfies Command;
