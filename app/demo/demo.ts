/**
 * `deno task demo`: two namespaces that reach each other only through a host, a region and a guest.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { CulvertError } from "../../ffi/error.ts";
import { Program } from "./program.ts";
import { requirePrograms, VethNamespace } from "./veth_namespace.ts";

const USAGE = `deno task demo - ping and iperf3 between two namespaces, through a guest

  --vm           the guest runs in a QEMU virtual machine, not in a process
  --seconds N    how long iperf3 sends each way (default 5)
  --help         show this text

Needs root. Installs nothing: it says what is missing, and the command that installs it.
Its namespaces and interfaces are called culvert-a and culvert-b.
`;

const REGION = "demo";
const [ADDRESS_A, ADDRESS_B] = ["10.98.0.1", "10.98.0.2"];
const HOST_READY_MS = 15_000;
const GUEST_READY_MS = 90_000;

/** Flags of the tasks `host`, `guest` and `qemu` in deno.json. */
const ROOT = new URL("../..", import.meta.url).pathname;
const HOST_FLAGS = [
  `--allow-ffi=${ROOT}.cache/shim/libculvert.so`,
  `--allow-read=${ROOT},/run/culvert,/dev/shm`,
  "--allow-write=/run/culvert,/dev/shm",
];
const GUEST_FLAGS = [`--allow-ffi=${ROOT}.cache/shim/libculvert.so`, `--allow-read=${ROOT}`];

function culvert(flags: string[], ...args: string[]): string[] {
  return [Deno.execPath(), "run", "--no-prompt", ...flags, `${ROOT}app/main.ts`, ...args];
}

let steps = 0;

function step(what: string): void {
  console.log(`\n[${++steps}/5] ${what}`);
}

/** All that is made is removed when this returns or throws, last first. */
async function demo(isVm: boolean, seconds: string, stopped: Promise<never>): Promise<void> {
  const orStopped = <T>(wait: Promise<T>) => Promise.race([wait, stopped]);
  await requirePrograms(["ip", "ping", "iperf3", ...isVm ? ["qemu-system-x86_64", "lz4"] : []]);

  step("two network namespaces, a and b, each with a veth to here");
  await using a = await VethNamespace.create("culvert-a", "culvert-a", [`${ADDRESS_A}/24`]);
  await using b = await VethNamespace.create("culvert-b", "culvert-b", [`${ADDRESS_B}/24`]);

  const ports = ["--port", "packet:culvert-a", "--port", "packet:culvert-b"];
  step(`culvert host ${ports.join(" ")}`);
  const hostArgs = ["host", ...ports, "--region", REGION, "-l", "0", "-T", "1"];
  await using host = Program.start("host", culvert(HOST_FLAGS, ...hostArgs));
  await orStopped(host.says(/ is ready/, HOST_READY_MS));

  const guestArgs = ["--no-mac-updating", "-T", "0"];
  step(isVm ? "culvert qemu --run: a VM with the guest in it" : "culvert guest: a process");
  await using _guest = Program.start(
    "guest",
    isVm
      ? culvert(["-A"], "qemu", "--region", REGION, "--run", "--", ...guestArgs)
      : culvert(GUEST_FLAGS, "guest", "--region", REGION, ...guestArgs),
  );
  await orStopped(host.says(/guest 0 attached/, GUEST_READY_MS));

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

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      vm: { type: "boolean", default: false },
      seconds: { type: "string", default: "5" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    Deno.exit(0);
  }
  if (!/^[1-9]\d{0,3}$/.test(values.seconds)) {
    console.error(
      `Cannot use --seconds ${values.seconds}: a whole number from 1 to 9999 is wanted`,
    );
    Deno.exit(2);
  }
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  stopped.catch(() => {}); // nobody may be waiting when it comes
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => reject(new CulvertError(`Stopped by ${signal}.`)));
  }
  try {
    await demo(values.vm, values.seconds, stopped);
    console.log(
      "\nAll of that went through the guest. Namespaces, veths and programs are gone again.",
    );
    Deno.exit(0);
  } catch (error) {
    if (!(error instanceof CulvertError)) throw error;
    console.error(`\n${error.message}\nNamespaces, veths and programs are gone again.`);
    Deno.exit(1);
  }
}
