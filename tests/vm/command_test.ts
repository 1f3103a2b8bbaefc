import { deepStrictEqual, rejects, strictEqual, throws } from "node:assert/strict";
import { UsageError } from "../../ffi/error.ts";
import { qemuCommand } from "../../app/vm/command.ts";
import { findKernel } from "../../app/vm/kernel.ts";
import { parseImageOptions, parseQemuOptions } from "../../app/vm/options.ts";
import { runTool } from "../../app/vm/tools.ts";

const log = () => {};

Deno.test("parseQemuOptions() passes what follows -- to the guest command", () => {
  const request = parseQemuOptions(["--region", "/r", "--", "--portmap", "(0,1)", "--help"], log)!;
  deepStrictEqual(request.machine.guestArgs, [
    "guest",
    "--pci",
    "auto",
    "--portmap",
    "(0,1)",
    "--help",
  ]);
  strictEqual(request.run, false);
  strictEqual(request.machine.accel, "tcg");
});

Deno.test("parseQemuOptions() says what is wrong with a command line", () => {
  const wrong: [string[], RegExp][] = [
    [["--region", "/r", "--accel", "kvm:tcg"], /pass tcg or kvm/],
    [["--region", "/r", "--memory", "1G"], /--memory 1G: pass a positive integer/],
    [["--region", "/r", "--cpus", "0"], /--cpus 0: pass a positive integer/],
    [["--region", "/r", "--nonsense"], /--nonsense/],
    [["--region", "/r", "stray"], /stray/],
  ];
  for (const [args, message] of wrong) {
    throws(() => parseQemuOptions(args, log), (error) => {
      return error instanceof UsageError && message.test(error.message);
    });
  }
});

Deno.test("parseImageOptions() gives undefined when help is wanted", () => {
  strictEqual(parseImageOptions(["--help"], log), undefined);
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
  strictEqual(printed.at(-1)!.includes("no host keeps it: start `culvert host` first"), true);
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
