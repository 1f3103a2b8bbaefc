import { deepStrictEqual, match, ok, strictEqual, throws } from "node:assert/strict";
import { qemuArguments, type QemuOptions, shellQuote } from "../../app/vm/qemu.ts";

const OPTIONS: QemuOptions = {
  image: { kernel: "/k/vmlinuz", initrd: "/k/initrd" },
  regionPath: "/dev/shm/culvert",
  regionBytes: 64 * 2 ** 20,
  guestArgs: ["guest", "--pci", "auto"],
};

/** The value after an option. */
function valueOf(args: string[], option: string): string {
  return args[args.indexOf(option) + 1];
}

Deno.test("qemuArguments() gives the guest the region as a shared file behind ivshmem-plain", () => {
  const args = qemuArguments(OPTIONS);
  strictEqual(
    valueOf(args, "-object"),
    "memory-backend-file,id=culvert,share=on,mem-path=/dev/shm/culvert,size=67108864",
  );
  strictEqual(valueOf(args, "-device"), "ivshmem-plain,memdev=culvert");
});

Deno.test("qemuArguments() doubles commas in the region's path", () => {
  const args = qemuArguments({ ...OPTIONS, regionPath: "/dev/shm/a,b" });
  match(valueOf(args, "-object"), /,mem-path=\/dev\/shm\/a,,b,size=/);
});

Deno.test("qemuArguments() refuses a region whose size is not a power of two", () => {
  for (const regionBytes of [0, -4096, 2048, 3 * 2 ** 20, 2 ** 24 + 1, 2 ** 53 - 1, 4096.5, NaN]) {
    throws(() => qemuArguments({ ...OPTIONS, regionBytes }), /power of two/, `${regionBytes}`);
  }
  for (const regionBytes of [4096, 2 ** 20, 2 ** 34]) qemuArguments({ ...OPTIONS, regionBytes });
});

Deno.test("qemuArguments() never leaves TCG with one possible processor", () => {
  strictEqual(valueOf(qemuArguments(OPTIONS), "-smp"), "1,maxcpus=2");
  strictEqual(valueOf(qemuArguments({ ...OPTIONS, cpus: 3 }), "-smp"), "3,maxcpus=3");
});

Deno.test("qemuArguments() names one accelerator and never falls back to another", () => {
  const tcg = qemuArguments(OPTIONS);
  strictEqual(valueOf(tcg, "-accel"), "tcg,thread=multi,tb-size=64");
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
    "console=ttyS0 quiet panic=-1 culvert.modules=virtio_pci,tun culvert.shell intel_iommu=on " +
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
