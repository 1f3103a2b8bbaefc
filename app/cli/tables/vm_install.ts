import type { Command } from "../command.ts";

/** `culvert vm-install`. */
export const VM_INSTALL = {
  name: "vm-install",
  summary: "install culvert's guest as a service in a VM that runs already",
  usage: ["root@VM [--ssh COMMAND]", "--cloud-init"],
  options: {
    "ssh": {
      kind: "text",
      argument: "COMMAND",
      default: "ssh",
      about: "what reaches the VM: put root@VM and a shell's command line behind it",
    },
    "cloud-init": {
      kind: "flag",
      about:
        "print what cloud-init needs instead, for a VM that is about to boot and can reach npm",
    },
  },
  positionals: [{ name: "root@VM", about: "the VM, as ssh knows it", optional: true }],
  text: [
    "The VM may be any Linux of this machine's architecture, with systemd, tar and glibc 2.27: " +
    "it needs neither npm nor a network of its own, but a device ivshmem-plain or -doorbell (see " +
    "culvert qemu, culvert plug). What runs here is copied to /usr/local/lib/culvert, and " +
    "culvert-guest.service started, now and at each boot. Its options are in /etc/culvert/guest: " +
    "GUEST_OPTIONS=--pci auto --guest 1. Again, it installs a newer version.",
  ],
  examples: [{ line: "culvert vm-install root@web1" }],
} as const satisfies Command;
