import type { Command } from "../command.ts";

/** `culvert extcap`: its options are Wireshark's (doc/extcap.4). */
export const EXTCAP = {
  name: "extcap",
  summary: "let Wireshark list regions among its interfaces",
  usage: ["--extcap-interfaces | --extcap-interface NAME --capture --fifo PATH [options]"],
  options: {
    "extcap-interfaces": { kind: "flag", about: "print the interfaces: one a region" },
    "extcap-version": {
      kind: "text",
      argument: "VERSION",
      about: "the version of Wireshark; it does not matter",
    },
    "extcap-interface": {
      kind: "text",
      argument: "NAME",
      about: "the interface that is meant: culvert-REGION",
    },
    "extcap-dlts": { kind: "flag", about: "print its link type: Ethernet" },
    "extcap-config": { kind: "flag", about: "print its settings: ports, snaplen" },
    "extcap-capture-filter": {
      kind: "text",
      argument: "FILTER",
      about: "the capture filter; without --capture it is only checked",
    },
    "capture": { kind: "flag", about: "capture until SIGINT or SIGTERM" },
    "fifo": { kind: "text", argument: "PATH", about: "where the capture is written" },
    "ports": {
      kind: "text",
      argument: "PORTS",
      otherwise: "all",
      about: "ports and guests with spaces between, as in culvert capture",
    },
    "snaplen": {
      kind: "number",
      argument: "BYTES",
      least: 14,
      most: 262_144,
      default: 262_144,
      about: "bytes of each frame that are recorded",
    },
  },
  text: [
    "Wireshark runs this command if one of its extcap folders has an executable file that does: " +
    "two lines of shell are enough. Only the host's user and root see regions.",
  ],
  examples: [
    { line: "mkdir -p ~/.config/wireshark/extcap; cd ~/.config/wireshark/extcap" },
    { line: `printf '#!/bin/sh\\nexec culvert extcap "$@"\\n' > culvert; chmod +x culvert` },
    { line: "tshark -D", about: "lists culvert-REGION" },
  ],
} as const satisfies Command;
