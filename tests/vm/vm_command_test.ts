import { deepStrictEqual, match, rejects, strictEqual, throws } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../ffi/error.ts";
import { qemuRequest } from "../../app/cli/qemu_request.ts";
import { QEMU } from "../../app/cli/tables/vm.ts";
import { findKernel } from "../../app/vm/kernel.ts";
import { runTool } from "../../app/vm/tools.ts";
import { parsed } from "../cli/tables.ts";

const log = () => {};

/** What `culvert qemu` makes of a command line. */
function read(...args: string[]) {
  return qemuRequest(parsed(QEMU, args));
}

Deno.test("qemuRequest() asks for one VM of guest 0 with the region culvert0", () => {
  const { regions, guests, numbered, output, vectors, pin, program, machine } = read();
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

Deno.test("qemuRequest() passes what follows -- to the guest command", () => {
  const { machine } = read("--region", "/r", "--", "--portmap", "(0,1)", "--help");
  deepStrictEqual(machine.guestArgs, ["guest", "--pci", "auto", "--portmap", "(0,1)", "--help"]);
});

Deno.test("qemuRequest() runs inspect in the guest if that is the first word behind --", () => {
  const { machine, numbered } = read("--guest", "2", "--", "inspect", "--json");
  deepStrictEqual(machine.guestArgs, ["inspect", "--pci", "auto", "--json"]);
  strictEqual(numbered, false, "inspect takes no --guest");
  deepStrictEqual(read("--", "guest", "-T", "1").machine.guestArgs, [
    "guest",
    "--pci",
    "auto",
    "-T",
    "1",
  ]);
});

Deno.test("qemuRequest() takes several regions, several guests, or no region", () => {
  const { regions, guests, numbered } = read(
    ...["--region", "a", "--region", "/dev/shm/b", "--guest", "3", "--guest", "0"],
  );
  deepStrictEqual(regions, ["a", "/dev/shm/b"]);
  deepStrictEqual(guests, [3, 0]);
  strictEqual(numbered, true);
  deepStrictEqual(read("--no-region").regions, []);
});

Deno.test("qemuRequest() has one empty slot ready where there is a monitor to plug by", () => {
  strictEqual(read("--qmp", "/q").machine.slots, 1);
  strictEqual(read("--qmp", "/q", "--hotplug", "0").machine.slots, 0);
  strictEqual(read("--hotplug", "4").machine.slots, 4);
});

Deno.test("qemuRequest() says what is wrong with a command line", () => {
  const wrong: [string[], RegExp][] = [
    [["--accel", "kvm:tcg"], /--accel kvm:tcg as it is none of tcg or kvm/],
    [["--memory", "1G"], /--memory 1G as it is no whole number of 1 or more/],
    [["--cpus", "0"], /--cpus 0 .* of 1 or more/],
    [["--guest", "127"], /--guest 127 .* from 0 to 126/],
    [["--guest", "1", "--guest", "1"], /--guest 1 twice/],
    [["--region", "a", "--region", "a"], /--region a twice/],
    [["--region", "no name"], /region "no name" as it is no name/],
    [["--region", "a", "--no-region"], /--region and --no-region together/],
    [["--run", "--json"], /--json and --run together/],
    [["--vectors", "2"], /--vectors without --doorbell/],
    [["--doorbell", "--vectors", "0"], /--vectors 0 .* from 1 to 2048/],
    [["--hotplug", "17"], /--hotplug 17 .* from 0 to 16/],
    [["--pin", "1-"], /--pin 1- as it names no cores/],
    [["--nonsense"], /--nonsense/],
    [["stray"], /stray/],
  ];
  for (const [args, message] of wrong) {
    throws(
      () => read(...args),
      (error) => error instanceof UsageError && message.test(error.message),
      args.join(" "),
    );
  }
});

Deno.test("culvert qemu exits with 2 for a usage error, with 1 for a region that is missing", async () => {
  for (
    const [args, status, message] of [
      [["--accel", "none"], 2, /^culvert: Cannot use --accel none as it is none of tcg or kvm$/],
      [["--region", "/dev/shm/no-such"], 1, /^culvert: Cannot .*culvert host` first, or name/],
    ] as const
  ) {
    const main = fileURLToPath(new URL("../../app/main.ts", import.meta.url));
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", main, "qemu", ...args],
    }).output();
    const [said, told] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    strictEqual(code, status, told);
    strictEqual(said, "");
    match(told.trimEnd(), message);
  }
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
