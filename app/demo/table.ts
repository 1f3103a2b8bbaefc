import type { Command } from "../cli/command.ts";

/** `deno task demo`. */
export const DEMO = {
  program: "deno task",
  name: "demo",
  summary: "ping and TCP between two namespaces, through a guest",
  usage: ["[--vm] [--doorbell] [--rootless] [--seconds N]"],
  options: {
    "vm": { kind: "flag", about: "the guest runs in a QEMU virtual machine, not in a process" },
    "doorbell": {
      kind: "flag",
      about: "with --vm: host and guest wake each other by interrupts",
    },
    "rootless": {
      kind: "flag",
      about: "as any user: in a user, network and mount namespace of its own",
    },
    "seconds": {
      kind: "number",
      argument: "N",
      least: 1,
      most: 9999,
      default: 5,
      about: "how long TCP is sent each way",
    },
  },
  text: [
    "Needs root, or --rootless. Installs nothing: it says what is missing, and the command that " +
    "installs it. If iperf3 is installed, it sends the TCP. The interfaces and the region are named " +
    "after its process: several can run at once.",
  ],
} as const satisfies Command;
