import { deepStrictEqual, rejects, strictEqual, throws } from "node:assert/strict";
import { UsageError } from "../../ffi/error.ts";
import { qemuCommand } from "../../app/cli/vm_command.ts";
import { findKernel } from "../../app/vm/kernel.ts";
import { parseImageOptions } from "../../app/vm/options.ts";
import { parseQemuOptions } from "../../app/vm/qemu_options.ts";
import { runTool } from "../../app/vm/tools.ts";

const log = () => {};

/** What `culvert qemu` makes of a command line. */
function parsed(...args: string[]) {
  return parseQemuOptions(args, log)!;
}

Deno.test("parseQemuOptions() asks for one VM of guest 0 with the region culvert0", () => {
  const { regions, guests, numbered, output, vectors, pin, program, machine } = parsed();
  deepStrictEqual({ regions, guests, numbered, output }, {
    regions: ["culvert0"],
    guests: [0],
    numbered: false,
    output: "shell",
  });
  deepStrictEqual({ vectors, pin, program }, {
    vectors: undefined,
    pin: undefined,
    program: "qemu-system-x86_64",
  });
  const { accel, doorbell, master, slots, guestArgs } = machine;
  deepStrictEqual({ accel, doorbell, master, slots, guestArgs }, {
    accel: "tcg",
    doorbell: false,
    master: false,
    slots: 0,
    guestArgs: ["guest", "--pci", "auto"],
  });
});

Deno.test("parseQemuOptions() passes what follows -- to the guest command", () => {
  const { machine } = parsed("--region", "/r", "--", "--portmap", "(0,1)", "--help");
  deepStrictEqual(machine.guestArgs, ["guest", "--pci", "auto", "--portmap", "(0,1)", "--help"]);
});

Deno.test("parseQemuOptions() runs inspect in the guest if that is the first word behind --", () => {
  const { machine, numbered } = parsed("--guest", "2", "--", "inspect", "--json");
  deepStrictEqual(machine.guestArgs, ["inspect", "--pci", "auto", "--json"]);
  strictEqual(numbered, false, "inspect takes no --guest");
  deepStrictEqual(parsed("--", "guest", "-T", "1").machine.guestArgs, [
    "guest",
    "--pci",
    "auto",
    "-T",
    "1",
  ]);
});

Deno.test("parseQemuOptions() takes several regions, several guests, or no region", () => {
  const { regions, guests, numbered } = parsed(
    ...["--region", "a", "--region", "/dev/shm/b", "--guest", "3", "--guest", "0"],
  );
  deepStrictEqual(regions, ["a", "/dev/shm/b"]);
  deepStrictEqual(guests, [3, 0]);
  strictEqual(numbered, true);
  deepStrictEqual(parsed("--no-region").regions, []);
});

Deno.test("parseQemuOptions() has one empty slot ready where there is a monitor to plug by", () => {
  strictEqual(parsed("--qmp", "/q").machine.slots, 1);
  strictEqual(parsed("--qmp", "/q", "--hotplug", "0").machine.slots, 0);
  strictEqual(parsed("--hotplug", "4").machine.slots, 4);
});

Deno.test("parseQemuOptions() says what is wrong with a command line", () => {
  const wrong: [string[], RegExp][] = [
    [["--accel", "kvm:tcg"], /pass tcg or kvm/],
    [["--memory", "1G"], /--memory 1G as it is no whole number: pass 1 or more/],
    [["--cpus", "0"], /--cpus 0 .* pass 1 or more/],
    [["--guest", "127"], /--guest 127 .* pass 0 to 126/],
    [["--guest", "1", "--guest", "1"], /--guest 1 twice/],
    [["--region", "a", "--region", "a"], /--region a twice/],
    [["--region", "no name"], /region "no name" as it is no name/],
    [["--region", "a", "--no-region"], /--region and --no-region together/],
    [["--run", "--json"], /--json and --run together/],
    [["--vectors", "2"], /--vectors without --doorbell/],
    [["--doorbell", "--vectors", "0"], /--vectors 0 .* pass 1 to 2048/],
    [["--hotplug", "17"], /--hotplug 17 .* pass 0 to 16/],
    [["--pin", "1-"], /--pin 1- as it names no cores/],
    [["--nonsense"], /--nonsense/],
    [["stray"], /stray/],
  ];
  for (const [args, message] of wrong) {
    throws(
      () => parseQemuOptions(args, log),
      (error) => error instanceof UsageError && message.test(error.message),
      args.join(" "),
    );
  }
});

Deno.test("parseImageOptions() gives undefined when help is wanted", () => {
  strictEqual(parseImageOptions(["--help"], log), undefined);
  strictEqual(parseQemuOptions(["--help"], log), undefined);
});

Deno.test("qemuCommand() returns 2 for a usage error and 1 for a region that is missing", async () => {
  const printed: string[] = [];
  const saved = console.error;
  console.error = (line: string) => printed.push(line);
  try {
    strictEqual(await qemuCommand(["--accel", "none"]), 2);
    strictEqual(await qemuCommand(["--region", "/dev/shm/no-such-region"]), 1);
  } finally {
    console.error = saved;
  }
  strictEqual(printed.at(-1)!.includes("start `culvert host` first"), true);
});

Deno.test("findKernel() refuses a kernel that is missing and modules without a kernel", async () => {
  await rejects(findKernel({ kernel: "/nowhere/vmlinuz", cacheDir: "/tmp", log }), /bzImage/);
  await rejects(findKernel({ modules: "/lib/modules", cacheDir: "/tmp", log }), /no kernel/);
});

Deno.test("runTool() names a missing program's package, and passes on what a failing one says", async () => {
  const path = "/nowhere/lz4";
  await rejects(runTool(path, []), /Cannot run \/nowhere\/lz4 .* "apt-get install lz4"/);
  await rejects(runTool("ls", ["/nowhere"]), /ends with 2: .*No such file/);
});
