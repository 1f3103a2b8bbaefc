/**
 * The package's guest in a VM, which takes what is pushed.
 *
 * @module
 */
import { equal, match } from "node:assert/strict";
import { InstalledPackage } from "../kit/installed_package.ts";
import { assertNothingBroken, untilReachable } from "../kit/kernel_traffic.ts";
import { BOOT_MS, Lab, packetPorts } from "../kit/lab.ts";
import { PushedFiles, saying } from "../kit/pushed_files.ts";
import { exchangeNumbered, ROOM } from "../kit/vm.ts";

/** Milliseconds for an image to be made, and for a machine that others slow down to boot. */
const IMAGE_MS = 60_000 + BOOT_MS;

/** An emulated machine that others slow down takes its time to start Workers. */
const PATIENT = ["--timeout", "150"];

// All commands are those of the package. The last file that is pushed has a mistake, and does not
// take over.
Deno.test("The npm package's VM runs a user's function, and takes what is pushed; no frame is lost", async () => {
  await using installed = await InstalledPackage.create();
  await using lab = await Lab.open();
  using files = new PushedFiles();
  const culvert = (...args: string[]) =>
    // In the image's usual cache: its kernel is there.
    lab.start("env", "--unset=DENO_DIR", "-C", files.folder, installed.culvert, ...args);
  const { a, b } = await lab.namespacePair();
  const ports = packetPorts(a, b);
  const host = culvert("host", "--region", lab.region, ...ports, "-l", "0", ...ROOM);
  await host.stderrLine(/ is ready/);
  files.write("my.ts", saying("first"));
  const guest = ["--push", "--function", "./my.ts", "-T", "0"];
  const vm = culvert("qemu", "--run", "--region", lab.region, "--", ...guest);
  await host.stderrLine(/guest 0 attached/, IMAGE_MS);
  await vm.stdoutLine(/this is first/, BOOT_MS);
  await untilReachable(lab, a, b, BOOT_MS);

  const frames = exchangeNumbered(lab, [a, b], { frames: 2500, rate: 100 });
  const push = async (word: string, status: number) => {
    files.write("my.ts", saying(word));
    const args = ["./my.ts", "--region", lab.region, ...PATIENT];
    const { code, stdout, stderr } = await culvert("push", ...args).ended(160_000);
    equal(code, status, stdout + stderr);
    return stdout + stderr;
  };
  for (const word of ["second", "third"]) {
    const said = await push(word, 0);
    match(said, /^guest 0: swapped my\.ts in \d+ ms, 0 frames lost, forwarding paused/);
    await vm.stdoutLine(new RegExp(`this is ${word}`));
  }
  const wrong = await push("wrong", 1);
  match(wrong, /Cannot push my\.ts as guest 0 keeps the function that was there: /);
  match(wrong, /it has thrown: no such rule at .*\/helper\.ts:7:\d+/, "of the TypeScript");
  await frames;
  await assertNothingBroken(lab, a, b);
  equal((await vm.stop("SIGINT")).code, 130);
  await lab.finishHost(host);
});
