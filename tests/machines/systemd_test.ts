import { DebianVm } from "../kit/debian_vm.ts";
import type { Lab } from "../kit/lab.ts";
import { operate, type Place } from "../system/systemd_steps.ts";

/** A VM in QEMU's user network, with the region as a PCI device. */
function vm(_lab: Lab): Promise<Place> {
  const port = 20_000 + Deno.pid % 10_000;
  return Promise.resolve({
    network: "[Match]\nName=en*\n[Network]\nDHCP=ipv4\n",
    here: "10.0.2.2",
    listen: "127.0.0.1",
    address: "127.0.0.1",
    port,
    guest: "--pci auto",
    boot: async (root, region) => {
      const { size } = await Deno.stat(region);
      return await DebianVm.boot(root, [
        ...["-object", `memory-backend-file,id=region,share=on,mem-path=${region},size=${size}`],
        ...["-device", "ivshmem-plain,memdev=region"],
        ...["-netdev", `user,id=net,hostfwd=tcp:127.0.0.1:${port}-:22`],
        ...["-device", "virtio-net,netdev=net"],
      ]);
    },
  });
}

Deno.test("In a VM with Debian and systemd", (t) => operate(t, vm));
