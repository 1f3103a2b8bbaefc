import type { Command } from "../command.ts";

/** `culvert vm-install`. */
export const VM_INSTALL = {
  name: "vm-install",
  summary: "install culvert's guest as a service in a VM that runs already",
  usage: ["root@VM [--ssh COMMAND]", "--archive FILE", "--cloud-init URL"],
  options: {
    "ssh": {
      kind: "text",
      argument: "COMMAND",
      default: "ssh",
      about: "the program that reaches the VM; root@VM and a command for its shell are added",
    },
    "archive": {
      kind: "text",
      argument: "FILE",
      about: "write what would be copied, a tar, for VMs that fetch it when they boot",
    },
    "cloud-init": {
      kind: "text",
      argument: "URL",
      about: "print what cloud-init needs, for a VM that is about to boot: the archive is at URL",
    },
  },
  positionals: [{ name: "root@VM", about: "the VM, as ssh knows it", optional: true }],
  text: [
    "The VM may be any Linux of this machine's architecture, with systemd, tar and glibc 2.27: " +
    "it needs neither npm nor a network of its own, but a device ivshmem-plain or -doorbell (see " +
    "culvert qemu, culvert plug). What runs here is copied to /usr/local/lib/culvert, and " +
    "culvert-guest.service started, now and at each boot. Its options are in /etc/culvert/guest: " +
    "GUEST_OPTIONS=--pci auto --guest 1. Run again, the command installs a newer version.",
    "A VM with cloud-init does the same at its first boot, if it reaches a web server with the " +
    "archive: user data is what --cloud-init prints, to which you may add, for example write_files.",
  ],
  examples: [
    { line: "culvert vm-install root@web1" },
    { line: "culvert vm-install --archive /srv/www/culvert.tgz" },
    { line: "culvert vm-install --cloud-init http://10.0.0.1/culvert.tgz > user-data" },
  ],
} as const satisfies Command;
