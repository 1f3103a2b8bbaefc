import type { Command } from "../command.ts";
import { REGION } from "./shared.ts";

/** `culvert capture`. */
export const CAPTURE = {
  name: "capture",
  summary: "record the frames of a running host",
  usage: ["[PORT|guest:N...] [options]"],
  positionals: [{
    name: "PORT|guest:N",
    optional: true,
    many: true,
    about: "ports, as eth1 or tap0, or all those of a guest; all ports if none is named",
  }],
  options: {
    "region": { ...REGION, default: "culvert0" },
    "write": {
      kind: "text",
      short: "w",
      argument: "FILE",
      default: "-",
      about: "the file, pcapng; - is stdout, for Wireshark, tshark or tcpdump to read",
    },
    "filter": {
      kind: "text",
      short: "f",
      argument: "FILTER",
      otherwise: "all frames",
      about: "only these frames, in the language of pcap-filter(7), as 'tcp port 443': tcpdump " +
        "compiles it",
    },
    "snaplen": {
      kind: "number",
      short: "s",
      argument: "BYTES",
      least: 14,
      most: 262_144,
      default: 262_144,
      about: "bytes of each frame that are recorded",
    },
    "count": {
      kind: "number",
      short: "c",
      argument: "N",
      least: 1,
      otherwise: "until SIGINT",
      about: "end after so many frames",
    },
    "rate": {
      kind: "number",
      argument: "N",
      least: 1,
      otherwise: "no limit",
      about: "frames a second at most: the first ones of each second",
    },
    "ring": {
      kind: "text",
      argument: "FILESxBYTES",
      about: "several files in turn, as 10x100M: their names get a number and the time, and the " +
        "oldest is removed",
    },
  },
  text: [
    "A frame is recorded where it comes in, before the guest, and where it goes out, behind it: " +
    "each port is an interface, and the direction is that of the port (inbound: received). " +
    "Frames that are dropped have the reason as comment. All frames of one burst have one time, " +
    "in nanoseconds: when the host took the burst. Frames that found no room are counted in the " +
    "file's statistics (isb_ifdrop): the host never waits for a capture.",
    "The host's user and root may capture. With a filter the host copies at least 256 bytes of " +
    "each frame, for the filter to look at.",
    "Exit status: 0, 1 if there is nothing to capture or the file cannot be written, 2 for a " +
    "wrong command line.",
  ],
  examples: [
    { line: "culvert capture -w all.pcapng" },
    { line: "culvert capture eth1 -f 'tcp port 443' -s 128 | wireshark -k -i -" },
  ],
} as const satisfies Command;
