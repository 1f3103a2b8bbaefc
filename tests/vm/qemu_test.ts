import { deepStrictEqual, match, ok, strictEqual, throws } from "node:assert/strict";
import { qemuArguments, type QemuOptions } from "../../app/vm/qemu.ts";
import { shellQuote } from "../../app/vm/show.ts";

const OPTIONS: QemuOptions = {
  image: { kernel: "/k/vmlinuz", initrd: "/k/initrd" },
  regions: [{ file: "/dev/shm/culvert", bytes: 64 * 2 ** 20 }],
  guestArgs: ["guest", "--pci", "auto"],
};

/** The values after an option, in their order. */
function valuesOf(args: string[], option: string): string[] {
  return args.flatMap((word, i) => word === option ? [args[i + 1]] : []);
}

/** The value after an option. */
function valueOf(args: string[], option: string): string {
  return args[args.indexOf(option) + 1];
}

Deno.test("qemuArguments() gives the guest a region as a shared file behind ivshmem-plain", () => {
  const args = qemuArguments(OPTIONS);
  deepStrictEqual(valuesOf(args, "-object"), [
    "memory-backend-file,id=culvert0,share=on,mem-path=/dev/shm/culvert,size=67108864",
  ]);
  deepStrictEqual(valuesOf(args, "-device"), ["ivshmem-plain,memdev=culvert0"]);
  strictEqual(valueOf(args, "-machine"), "q35");
});

Deno.test("qemuArguments() gives the guest several regions, each with its own backend", () => {
  const regions = [
    { file: "/dev/shm/a", bytes: 4096 },
    { socket: "/run/culvert/b.sock", vectors: 2 },
    { file: "/dev/shm/c", bytes: 8192 },
  ];
  const args = qemuArguments({ ...OPTIONS, regions });
  deepStrictEqual(valuesOf(args, "-device"), [
    "ivshmem-plain,memdev=culvert0",
    "ivshmem-doorbell,chardev=culvert1,vectors=2",
    "ivshmem-plain,memdev=culvert2",
  ]);
  match(valuesOf(args, "-object")[1], /id=culvert2,.*mem-path=\/dev\/shm\/c,size=8192$/);
  deepStrictEqual(valuesOf(args, "-chardev"), ["socket,path=/run/culvert/b.sock,id=culvert1"]);
});

Deno.test("qemuArguments() gives a guest with a doorbell an IOMMU before its devices, and vfio", () => {
  const regions = [{ socket: "/run/culvert/r.sock", vectors: 3 }];
  const args = qemuArguments({ ...OPTIONS, regions, doorbell: true, modules: ["tun"] });
  deepStrictEqual(valuesOf(args, "-device"), [
    "intel-iommu,intremap=on",
    "ivshmem-doorbell,chardev=culvert0,vectors=3",
  ]);
  strictEqual(valueOf(args, "-machine"), "q35");
  match(valueOf(args, "-append"), / culvert\.modules=vfio-pci,vfio_iommu_type1,tun /);
  match(valueOf(args, "-append"), / intel_iommu=on /);
  const kvm = qemuArguments({ ...OPTIONS, regions, doorbell: true, accel: "kvm" });
  strictEqual(valueOf(kvm, "-machine"), "q35,kernel-irqchip=split");
});

Deno.test("qemuArguments() lets migration take a region's content along only if told so", () => {
  const regions = [...OPTIONS.regions, { socket: "/s", vectors: 1 }];
  for (const word of qemuArguments({ ...OPTIONS, regions })) ok(!word.includes("master"), word);
  const args = qemuArguments({ ...OPTIONS, regions, master: true });
  for (const device of valuesOf(args, "-device")) match(device, /,master=on$/);
});

Deno.test("qemuArguments() prepares a VM for regions that are plugged later", () => {
  const args = qemuArguments({ ...OPTIONS, regions: [], qmp: "/tmp/a,b", slots: 2 });
  deepStrictEqual(valuesOf(args, "-device"), [
    "pcie-root-port,id=culvert-slot1,chassis=1,pref64-reserve=8G",
    "pcie-root-port,id=culvert-slot2,chassis=2,pref64-reserve=8G",
  ]);
  strictEqual(valueOf(args, "-qmp"), "unix:/tmp/a,,b,server=on,wait=off");
  throws(() => qemuArguments({ ...OPTIONS, slots: 17 }), /17 empty slots: pass 0 to 16/);
});

Deno.test("qemuArguments() takes the guest's own memory from huge pages, and from a node", () => {
  const huge = qemuArguments({ ...OPTIONS, regions: [], hugepages: "/dev/hugepages" });
  strictEqual(
    valueOf(huge, "-object"),
    "memory-backend-file,id=ram,size=384M,mem-path=/dev/hugepages,share=off,prealloc=on",
  );
  strictEqual(valueOf(huge, "-machine"), "q35,memory-backend=ram");
  const node = qemuArguments({ ...OPTIONS, regions: [], numaNode: 1, memoryMiB: 512 });
  strictEqual(
    valueOf(node, "-object"),
    "memory-backend-ram,id=ram,size=512M,host-nodes=1,policy=bind",
  );
  const both = qemuArguments({ ...OPTIONS, regions: [], numaNode: 0, hugepages: "/h" });
  match(valueOf(both, "-object"), /mem-path=\/h,share=off,prealloc=on,host-nodes=0,policy=bind$/);
});

Deno.test("qemuArguments() doubles commas in paths of regions", () => {
  const regions = [{ file: "/dev/shm/a,b", bytes: 4096 }, { socket: "/run/c,d", vectors: 1 }];
  const args = qemuArguments({ ...OPTIONS, regions });
  match(valueOf(args, "-object"), /,mem-path=\/dev\/shm\/a,,b,size=/);
  match(valueOf(args, "-chardev"), /,path=\/run\/c,,d,id=/);
});

Deno.test("qemuArguments() refuses a region whose size is not a power of two", () => {
  const args = (bytes: number) => qemuArguments({ ...OPTIONS, regions: [{ file: "/f", bytes }] });
  for (const bytes of [0, -4096, 2048, 3 * 2 ** 20, 2 ** 24 + 1, 2 ** 53 - 1, 4096.5, NaN]) {
    throws(() => args(bytes), /power of two/, `${bytes}`);
  }
  for (const bytes of [4096, 2 ** 20, 2 ** 34]) args(bytes);
});

Deno.test("qemuArguments() refuses a device without interrupts, or with more than PCI has", () => {
  for (const vectors of [0, -1, 1.5, 2049]) {
    const regions = [{ socket: "/s", vectors }];
    throws(() => qemuArguments({ ...OPTIONS, regions }), /vectors: pass 1 to 2048/);
  }
});

Deno.test("qemuArguments() never leaves TCG with one possible processor", () => {
  strictEqual(valueOf(qemuArguments(OPTIONS), "-smp"), "1,maxcpus=2");
  strictEqual(valueOf(qemuArguments({ ...OPTIONS, cpus: 3 }), "-smp"), "3,maxcpus=3");
});

Deno.test("qemuArguments() names one accelerator and never falls back to another", () => {
  const tcg = qemuArguments(OPTIONS);
  strictEqual(valueOf(tcg, "-accel"), "tcg,thread=multi,tb-size=256");
  strictEqual(valueOf(tcg, "-cpu"), "max,erms=off,fsrm=off");
  const kvm = qemuArguments({ ...OPTIONS, accel: "kvm" });
  strictEqual(valueOf(kvm, "-accel"), "kvm");
  strictEqual(valueOf(kvm, "-cpu"), "host");
  for (const args of [tcg, kvm]) strictEqual(args.filter((word) => word === "-accel").length, 1);
});

Deno.test("qemuArguments() refuses memory or processors that are not positive integers", () => {
  throws(() => qemuArguments({ ...OPTIONS, memoryMiB: 0 }), /0 MiB of memory/);
  throws(() => qemuArguments({ ...OPTIONS, cpus: 1.5 }), /1\.5 processors/);
});

Deno.test("qemuArguments() puts modules, shell, own words and arguments on the kernel's line", () => {
  const line = valueOf(
    qemuArguments({
      ...OPTIONS,
      modules: ["virtio_pci", "tun"],
      shell: true,
      kernelParameters: ["intel_iommu=on"],
      guestArgs: ["guest", "--portmap", "(0,1)(2,3)"],
    }),
    "-append",
  );
  strictEqual(
    line,
    "console=ttyS0 quiet panic=-1 no_timer_check culvert.modules=virtio_pci,tun culvert.shell intel_iommu=on " +
      "culvert.args=guest+--portmap+(0,1)(2,3)",
  );
});

Deno.test("qemuArguments() refuses arguments that the kernel would cut off", () => {
  const guestArgs = ["x".repeat(2048)];
  throws(() => qemuArguments({ ...OPTIONS, guestArgs }), /it holds 2047/);
});

Deno.test("qemuArguments() appends extra arguments last", () => {
  deepStrictEqual(qemuArguments({ ...OPTIONS, extra: ["-s", "-S"] }).slice(-2), ["-s", "-S"]);
});

Deno.test("shellQuote() makes a line that a shell reads back as the same words", async () => {
  const words = ["printf", "%s\\n", "plain", "(0,1) two", "it's", "", "$HOME`id`*", "a,b=c"];
  const { stdout } = await new Deno.Command("sh", { args: ["-c", shellQuote(words)] }).output();
  deepStrictEqual(new TextDecoder().decode(stdout).split("\n").slice(0, -1), words.slice(2));
  ok(shellQuote(["-m", "384"]) === "-m 384", "plain words stay unquoted");
});
