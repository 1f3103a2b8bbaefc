/**
 * `deno task demo`: two namespaces that reach each other only through a host, a region and a guest.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { CulvertError, UsageError } from "../../ffi/error.ts";
import type { Parsed } from "../cli/options.ts";
import { runTool } from "../cli/run_program.ts";
import { DEMO } from "./table.ts";
import { inOwnNamespaces } from "./own_namespaces.ts";
import { Program } from "./program.ts";
import { requirePrograms, VethNamespace } from "./veth_namespace.ts";

const REGION = "demo";
const [ADDRESS_A, ADDRESS_B] = ["10.98.0.1", "10.98.0.2"];
const HOST_READY_MS = 15_000;
const GUEST_READY_MS = 90_000;

/** Flags of the tasks `host`, `guest` and `qemu` in deno.json; paths are from the project's folder. */
const FFI = "--allow-ffi=.cache/shim/libculvert.so";
const HOST_FLAGS = [
  FFI,
  "--allow-read=.,/run/culvert,/dev/shm",
  "--allow-write=/run/culvert,/dev/shm",
  "--allow-run",
];
const GUEST_FLAGS = [FFI, "--allow-read=."];
const QEMU_FLAGS = ["-A", "--lock=deno.lock"];

function culvert(flags: string[], ...args: string[]): string[] {
  return [Deno.execPath(), "run", "--no-prompt", ...flags, "app/main.ts", ...args];
}

let steps = 0;

function step(what: string): void {
  console.log(`\n[${++steps}/5] ${what}`);
}

/** All that is made is removed when this returns or throws, last first. */
async function demo(
  isVm: boolean,
  qemuArgs: string[],
  seconds: string,
  stopped: Promise<never>,
): Promise<void> {
  const orStopped = <T>(wait: Promise<T>) => Promise.race([wait, stopped]);
  if (Deno.uid() !== 0) {
    throw new CulvertError(
      "Cannot make network namespaces as this is not root: run it as root, or with --rootless",
    );
  }
  await requirePrograms([
    "ip",
    "ping",
    "iperf3",
    ...isVm ? ["qemu-system-x86_64", "lz4", "busybox"] : [],
  ]);

  step("two network namespaces, a and b, each with a veth to here");
  await using a = await VethNamespace.create("culvert-a", "culvert-a", [`${ADDRESS_A}/24`]);
  await using b = await VethNamespace.create("culvert-b", "culvert-b", [`${ADDRESS_B}/24`]);

  const ports = ["--port", "packet:culvert-a", "--port", "packet:culvert-b"];
  step(`culvert host ${ports.join(" ")}`);
  const hostArgs = ["host", ...ports, "--region", REGION, "-l", "0", "-T", "1"];
  await using host = Program.start("host", culvert(HOST_FLAGS, ...hostArgs));
  await orStopped(host.says(/ is ready/, HOST_READY_MS));

  const guestArgs = ["--no-mac-updating", "-T", "0"];
  const qemu = ["culvert", "qemu", ...qemuArgs, "--run"].join(" ");
  step(isVm ? `${qemu}: a VM with the guest in it` : "culvert guest: a process");
  await using guest = Program.start(
    "guest",
    isVm
      ? culvert(QEMU_FLAGS, "qemu", "--region", REGION, ...qemuArgs, "--run", "--", ...guestArgs)
      : culvert(GUEST_FLAGS, "guest", "--region", REGION, ...guestArgs),
  );
  const guestEnds = guest.ends().then(() => {
    throw new CulvertError("Cannot go on as the guest has ended");
  });
  guestEnds.catch(() => {}); // in the end it does
  await orStopped(Promise.race([host.says(/guest 0 attached/, GUEST_READY_MS), guestEnds]));

  step("ping from a to b");
  const ping = a.command("ping", "-c", "5", "-i", "0.2", ADDRESS_B);
  await using pinging = Program.start("ping", ping);
  await orStopped(pinging.ends());

  step(`iperf3: TCP from a to b, then from b to a, ${seconds} s each`);
  for (const direction of [[], ["-R"]]) {
    const serve = b.command("iperf3", "-s", "-1", "--forceflush");
    await using server = Program.start("iperf3 -s", serve, false);
    await orStopped(server.says(/listening/, HOST_READY_MS));
    const load = a.command("iperf3", "--forceflush", "-c", ADDRESS_B, "-t", seconds, ...direction);
    await using client = Program.start("iperf3", load);
    await orStopped(client.ends());
  }
}

/** Run the demo, say how it ended; returns the exit status. */
async function main({ values }: Parsed<typeof DEMO>): Promise<number> {
  if (values.doorbell && !values.vm) {
    throw new UsageError("Cannot use --doorbell without --vm: a process has doorbells anyway");
  }
  Deno.chdir(fileURLToPath(new URL("../../", import.meta.url)));
  const qemuArgs = values.doorbell ? ["--doorbell"] : [];
  if (values.rootless) {
    const again = Deno.args.filter((argument) => argument !== "--rootless");
    return await inOwnNamespaces([Deno.execPath(), "run", "-A", "app/demo/main.ts", ...again]);
  }
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  stopped.catch(() => {}); // nobody may be waiting when it comes
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => reject(new CulvertError(`Stopped by ${signal}.`)));
  }
  await demo(values.vm, qemuArgs, String(values.seconds), stopped);
  console.log(
    "\nAll of that went through the guest. Namespaces, veths and programs are gone again.",
  );
  return 0;
}

if (import.meta.main) await runTool(DEMO, main);
