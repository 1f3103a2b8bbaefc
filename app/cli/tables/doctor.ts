import type { Command } from "../command.ts";

/** `culvert doctor`. */
export const DOCTOR = {
  name: "doctor",
  summary: "see whether this machine has what culvert needs, and what to type if it does not",
  usage: ["[--json] [IFACE...]"],
  positionals: [{
    name: "IFACE",
    optional: true,
    many: true,
    about: "interfaces whose offloads to look at, besides those of hosts that run",
  }],
  options: {
    "json": { kind: "flag", about: "print an array of {check, state, found, fix}" },
  },
  text: [
    'A line a check: "ok"; "note" where it works, but could be faster or do more; "BAD" where ' +
    "something does not work. What to type stands behind the arrow. The exit status is 1 if " +
    "anything is bad, else 0.",
    "Looks at QEMU and its ivshmem devices, KVM, capabilities, TAPs, locked memory, open files, " +
    "shared memory, hugepages, cores, their governor, offloads of interfaces, and whether hosts, " +
    "guests, servers and regions here are of this build. Changes nothing.",
  ],
} as const satisfies Command;
