import type { Command } from "../command.ts";

/** `culvert units`. */
export const UNITS = {
  name: "units",
  summary: "write systemd's units: hosts, servers, guests and metrics that start at boot",
  usage: ["[--to FOLDER] [--list]"],
  options: {
    "to": {
      kind: "text",
      argument: "FOLDER",
      default: "/",
      about: "the root of the file system that gets them",
    },
    "list": { kind: "flag", about: "write nothing: show each file" },
  },
  text: [
    [
      ["culvert-host@NAME.service", "a host, as /etc/culvert/NAME.toml describes it"],
      [
        "culvert-server@NAME.socket, .service",
        "the server of region NAME. systemd listens at its socket and keeps its memory, so that " +
        "it may be killed or started again. Its size: /etc/culvert/NAME.server, with " +
        "SERVER_OPTIONS=-l 256M -n 2",
      ],
      [
        "culvert-guest.service",
        "in a VM: a guest, with the options in /etc/culvert/guest: GUEST_OPTIONS=--pci auto",
      ],
      [
        "culvert-metrics.service",
        "metrics of all regions at 127.0.0.1:9497, or as /etc/culvert/metrics says: " +
        "METRICS_OPTIONS=--listen 10.0.0.7:9497",
      ],
    ],
    "Hosts, servers and metrics run as user culvert, which systemd-sysusers makes. The host has " +
    "CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF until it is set up. A host that no longer forwards " +
    "is ended by its watchdog, and started again. Write the units again after an upgrade. They " +
    "start this very installation, which user culvert has to be able to read: " +
    "npm install -g --prefix /usr/local.",
  ],
  examples: [
    {
      about: "write them, and start a host with its server now and at each boot",
      line: "culvert units && systemd-sysusers && systemd-tmpfiles --create && " +
        "systemctl daemon-reload && systemctl enable --now culvert-server@edge.socket " +
        "culvert-host@edge",
    },
  ],
} as const satisfies Command;
