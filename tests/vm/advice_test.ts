import { deepStrictEqual, match, ok, strictEqual, throws } from "node:assert/strict";
import { adviceFor } from "../../app/vm/advice.ts";
import type { HostMachine } from "../../app/vm/host_machine.ts";
import type { LocatedRegion } from "../../app/vm/located_region.ts";
import { FILE, MACHINE, request, SERVED } from "./launch_lab.ts";

/** Advice for a command line. */
function advice(
  args: string[],
  regions: LocatedRegion[] = [FILE],
  machine: Partial<HostMachine> = {},
): string {
  return adviceFor(request(...args), regions, { ...MACHINE, ...machine }).join("\n");
}

Deno.test("adviceFor() has nothing to say where all is well", () => {
  strictEqual(advice(["--pin", "1"]), "");
  strictEqual(advice([], [FILE], { cores: [0] }), "", "one core leaves no choice");
});

Deno.test("adviceFor() tells how to keep QEMU off the host's core", () => {
  match(advice([]), /on core 0 .*: --pin 1-3 keeps/);
  match(advice([], [FILE], { cores: [2, 4, 5, 9] }), /on core 2 .*: --pin 4-5,9 keeps/);
});

Deno.test("adviceFor() speaks of KVM where it is left unused, or is not there", () => {
  match(advice([], [FILE], { hasKvm: true }), /--accel kvm is some 10 times faster/);
  ok(!/kvm/.test(advice(["--accel", "kvm"], [FILE], { hasKvm: true })));
  match(advice(["--accel", "kvm"]), /cannot be opened .* refuse --accel kvm/);
});

Deno.test("adviceFor() tells what becomes of a region that a server has", () => {
  match(advice([], [SERVED]), /\/proc\/12\/fd\/3 is there while process 12 runs/);
  match(advice([], [SERVED]), /the guest will poll; --doorbell/);
  const doorbell = advice(["--doorbell"], [SERVED]);
  match(doorbell, /connects to \/run\/culvert\/culvert0\.sock as it starts/);
  ok(!/poll|process 12|too many/.test(doorbell));
  match(advice(["--doorbell", "--vectors", "3"], [SERVED]), /4 vectors: .* too many/);
});

Deno.test("adviceFor() warns that master=on overwrites the destination's region", () => {
  match(advice(["--master"]), /master=on its content migrates .* no host may be forwarding there/);
});

Deno.test("adviceFor() moves a guest to the node of its region", () => {
  const nodes = [{ number: 0, cores: "0-1" }, { number: 1, cores: "2-3" }];
  const region = { ...FILE, nodes: [1] };
  match(advice([], [region], { nodes }), /\/dev\/shm\/r is on NUMA node 1: --numa-node 1 puts/);
  ok(!/NUMA/.test(advice(["--numa-node", "1"], [region], { nodes })));
  ok(!/NUMA/.test(advice([], [{ ...FILE, nodes: [] }], { nodes })), "untouched pages are nowhere");
  ok(!/NUMA/.test(advice([])));
});

Deno.test("adviceFor() counts the huge pages that all guests take together", () => {
  const huge = ["--pin", "1", "--hugepages", "/dev/hugepages/vm"];
  strictEqual(advice(huge), "");
  const three = [...huge, "--memory", "800", "--guest", "0", "--guest", "1", "--guest", "2"];
  match(advice(three), /takes 1200 pages of 2048 KiB, and 1000 are to be had: .*2048kB/);
});

Deno.test("adviceFor() refuses huge pages that are not there or do not fit", () => {
  throws(() => advice(["--hugepages", "/mnt"]), /on no hugetlbfs .* \/dev\/hugepages\): mount -t/);
  throws(
    () => advice(["--hugepages", "/dev/hugepages", "--memory", "385"]),
    /must be a multiple of 2 MiB/,
  );
});

Deno.test("adviceFor() says what is missing for a region to be plugged", () => {
  match(advice(["--no-region"], []), /plugged without --qmp/);
  match(advice(["--hotplug", "2"]), /plugged without --qmp/);
  deepStrictEqual(advice(["--no-region", "--qmp", "/q", "--pin", "1"], []), "");
  ok(!/--qmp/.test(advice(["--hotplug", "2", "--libvirt"])), "libvirt has a monitor of its own");
});

Deno.test("adviceFor() tells what libvirt's QEMU needs to be let in, and what it can never open", () => {
  const group = /libvirt: let QEMU in: start the host with --group libvirt-qemu/;
  const memfd = /libvirt: \/proc\/12\/fd\/3 can be opened by a QEMU of root's only: use --doorbell/;
  const served = advice(["--libvirt", "--doorbell"], [SERVED]);
  match(served, group);
  ok(!/AppArmor|root's only|as a user who may/.test(served), served);
  match(advice(["--libvirt"], [SERVED]), memfd);
  ok(!group.test(advice(["--libvirt"], [SERVED])), "no group helps there");
  match(advice(["--libvirt"], [FILE]), group);
  ok(!/AppArmor/.test(advice(["--libvirt"], [FILE])), "libvirt makes a rule for it");
  const huge = { ...FILE, region: "/dev/hugepages/r", path: "/dev/hugepages/r" };
  match(advice(["--libvirt"], [huge]), /AppArmor has no rule .* add "\/dev\/hugepages\/r rw," to/);
  ok(!/libvirt:/.test(advice([], [huge])));
});
