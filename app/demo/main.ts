/**
 * `deno task demo`: two namespaces that reach each other only through a host, a region and a guest.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { CulvertError, UsageError } from "../../ffi/error.ts";
import type { Parsed } from "../cli/options.ts";
import { runTool } from "../cli/run_program.ts";
import { outlivesTerminal } from "../linux/hangup.ts";
import { stdout } from "../linux/output.ts";
import { DemoRegion } from "./demo_region.ts";
import { DEMO } from "./table.ts";
import { FFI, Namespace } from "./namespace.ts";
import { inOwnNamespaces } from "./own_namespaces.ts";
import { Program } from "./program.ts";
import { isInstalled, requirePrograms } from "./required_programs.ts";

/** Names of this run, as others may be under way. An interface's name has 15 characters at most. */
const REGION = `demo-${Deno.pid}`;
const [NEAR_A, NEAR_B] = [`demo-a-${Deno.pid}`, `demo-b-${Deno.pid}`];
const [ADDRESS_A, ADDRESS_B] = ["10.98.0.1", "10.98.0.2"];
const START_MS = 60_000;
const VM_START_MS = 90_000;

/** The port that iperf3 and our own TCP load listen at. */
const TCP_PORT = 5201;

const PING = fileURLToPath(new URL("./ping.ts", import.meta.url));
const TCP_LOAD = fileURLToPath(new URL("./tcp_load.ts", import.meta.url));

/** Flags of the tasks `host`, `guest` and `qemu` in deno.json. */
const HOST_FLAGS = [
  FFI,
  "--allow-read=.,/run/culvert,/dev/shm",
  "--allow-write=/run/culvert,/dev/shm",
];
const GUEST_FLAGS = [FFI, "--allow-read=."];
const QEMU_FLAGS = ["-A", "--lock=deno.lock"];

function culvert(flags: string[], ...args: string[]): string[] {
  return deno(...flags, "app/main.ts", ...args);
}

function deno(...args: string[]): string[] {
  return [Deno.execPath(), "run", "--no-prompt", ...args];
}

let steps = 0;

function step(what: string): void {
  stdout.line(`\n[${++steps}/5] ${what}`);
}

/** Everything that this makes is removed when it returns or throws, the last first. */
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
  const forVm = isVm ? ["qemu-system-x86_64", "lz4", "busybox"] : [];
  await requirePrograms(["unshare", "nsenter", "setpriv", ...forVm]);

  step("two network namespaces, a and b, each with a veth to here");
  await using a = await Namespace.create(NEAR_A, ADDRESS_A);
  await using b = await Namespace.create(NEAR_B, ADDRESS_B);

  const ports = ["--port", `packet:${NEAR_A}`, "--port", `packet:${NEAR_B}`];
  step(`culvert host ${ports.join(" ")}`);
  const hostArgs = ["host", ...ports, "--region", REGION, "-l", "0", "-T", "1"];
  await using region = new DemoRegion(REGION);
  await using host = Program.start("host", culvert(HOST_FLAGS, ...hostArgs));
  await orStopped(host.does("let guests attach", START_MS, () => region.isReady));

  const guestArgs = ["--no-mac-updating", "-T", "0"];
  const qemu = ["culvert", "qemu", ...qemuArgs, "--run"].join(" ");
  step(isVm ? `${qemu}: a VM with the guest in it` : "culvert guest: a process");
  await using guest = Program.start(
    "guest",
    isVm
      ? culvert(QEMU_FLAGS, "qemu", "--region", REGION, ...qemuArgs, "--run", "--", ...guestArgs)
      : culvert(GUEST_FLAGS, "guest", "--region", REGION, ...guestArgs),
  );
  const guestMs = isVm ? VM_START_MS : START_MS;
  await orStopped(guest.does("attach", guestMs, () => region.hasGuest));
  region.leave();

  step("ping from a to b");
  const ping = a.command(...deno(FFI, PING, ADDRESS_B, "5"));
  await using pinging = Program.start("ping", ping);
  await orStopped(pinging.ends());

  const hasIperf = await isInstalled("iperf3");
  step(`${hasIperf ? "iperf3: " : ""}TCP from a to b, then from b to a, ${seconds} s each`);
  const loads = hasIperf ? iperf(seconds) : [ownLoad(seconds)];
  for (const { name, serve, run } of loads) {
    await using server = Program.start(`${name} server`, b.command(...serve), false);
    await orStopped(server.does("listen", START_MS, () => b.listens(TCP_PORT)));
    await using client = Program.start(name, a.command(...run));
    await orStopped(client.ends());
  }
}

/** Two programs that send TCP to each other. */
interface Load {
  readonly name: string;
  readonly serve: readonly string[];
  readonly run: readonly string[];
}

/** Both directions in one run. */
function ownLoad(seconds: string): Load {
  const program = deno("--allow-net", TCP_LOAD);
  return {
    name: "tcp",
    serve: [...program, "serve"],
    run: [...program, "run", ADDRESS_B, seconds],
  };
}

/** One direction a run. */
function iperf(seconds: string): Load[] {
  const client = ["iperf3", "--forceflush", "-c", ADDRESS_B, "-t", seconds];
  const serve = ["iperf3", "-s", "-1", "--forceflush"];
  return [client, [...client, "-R"]].map((run) => ({ name: "iperf3", serve, run }));
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
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const isIgnored = signal === "SIGHUP" && outlivesTerminal();
    const stop = () => isIgnored || reject(new CulvertError(`Stopped by ${signal}.`));
    Deno.addSignalListener(signal, stop); // without one of SIGHUP, Deno would end by it
  }
  await demo(values.vm, qemuArgs, String(values.seconds), stopped);
  stdout.line(
    "\nAll of that went through the guest. Namespaces, veths and programs are gone again.",
  );
  return 0;
}

if (import.meta.main) await runTool(DEMO, main);
