import type { Command } from "../command.ts";
import { CORES } from "./shared.ts";

/** `culvert gen`. */
export const GEN = {
  name: "gen",
  summary: "send numbered frames into a port, and count what comes back",
  usage: ["TX [RX] [options]"],
  positionals: [
    { name: "TX", about: "the port that frames are sent by: packet:IFACE or tap:NAME" },
    { name: "RX", optional: true, about: "the port that they come back by; TX if it is left out" },
  ],
  options: {
    "rate": {
      kind: "text",
      argument: "RATE",
      default: "max",
      about: "frames a second: 1000, 250k, 1.5M, or max: as many as the port takes",
    },
    "sizes": {
      kind: "text",
      argument: "BYTES,...|imix",
      default: "60",
      about: "bytes of frames, without FCS, that take turns, from 60 on; imix: 60, 590 and 1514, " +
        "7:4:1",
    },
    "seconds": {
      kind: "number",
      argument: "N",
      decimals: true,
      least: 0.1,
      most: 86_400,
      default: 10,
      about: "how long frames are sent; what is under way then has 2 s to come back",
    },
    "to": {
      kind: "text",
      argument: "MAC",
      otherwise: "that of RX; broadcast if there is none",
      about: "the MAC address that frames go to",
    },
    "latency": { kind: "flag", about: "measure how long frames take" },
    "search": {
      kind: "flag",
      about: "search for the highest rate without loss, from --rate down (RFC 2544, 26.1), to 1 %",
    },
    "loss": {
      kind: "number",
      argument: "PERCENT",
      decimals: true,
      least: 0,
      most: 100,
      default: 0,
      about: "share of the frames that may be lost in a trial of --search",
    },
    "core": { ...CORES, argument: "CORE", otherwise: "the last", about: "the core to run on" },
    "json": { kind: "flag", about: "a line for each trial, for programs" },
  },
  text: [
    "Frames are UDP in IPv4, from 198.18.0.1 to 198.19.0.1, port 7 (RFC 2544, appendix C). A " +
    "frame is lost if it has not come back, and reordered if a frame that was sent later came " +
    "before it (RFC 4737). The time of a frame runs from just before the " +
    "system call that sends its burst until the generator has it back: one thread does both.",
    "RFC 2544 asks for --seconds 60. A generator on the same machine competes with what it " +
    "measures: give it a core of its own.",
    "Exit status: 0, 1 if nothing came back or it cannot run, 2 for a wrong command line.",
  ],
  examples: [
    { line: "culvert gen packet:eth1 packet:eth2 --rate 1M --sizes imix --latency" },
    { line: "culvert gen packet:eth1 packet:eth2 --search --seconds 60" },
  ],
} as const satisfies Command;
