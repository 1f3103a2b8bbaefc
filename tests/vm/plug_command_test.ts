import { equal, match, rejects } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { entry } from "../../app/cli/entry.ts";
import * as commands from "../../app/cli/plug_command.ts";
import { PLUG, UNPLUG } from "../../app/cli/tables/plug.ts";
import { regionDevices } from "../../app/vm/plug.ts";
import { UsageError } from "../../ffi/error.ts";
import { attach, HostedRegion } from "./hosted_region.ts";
import { slot, TinyQemu } from "./tiny_qemu.ts";
import { until } from "../kit/wait.ts";

/** PCI Express's own hotplug: a guest that has not switched a slot on need not let go of it. */
const NATIVE = ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"];

const plugCommand = entry(PLUG, () => Promise.resolve(commands.plugCommand)).run;
const unplugCommand = entry(UNPLUG, () => Promise.resolve(commands.unplugCommand)).run;

/** What a body says on stderr, by console.error(). */
async function said(body: () => Promise<number>): Promise<string> {
  const lines: string[] = [];
  const saved = console.error;
  console.error = (line: string) => lines.push(line);
  try {
    equal(await body(), 0, lines.join("\n"));
  } finally {
    console.error = saved;
  }
  return lines.join("\n");
}

async function pluggedIds(qemu: TinyQemu): Promise<string> {
  return (await regionDevices(qemu.qmp)).map(({ id }) => id).join();
}

Deno.test("plug and unplug want a socket, and ids and numbers that can be", async () => {
  for (const command of [plugCommand, unplugCommand]) {
    await rejects(command([]), /Cannot reach QEMU without --qmp/);
    await rejects(
      command(["--qmp", "/x", "--id", "9,bus=x"]),
      /Cannot use --id 9,bus=x as it is no/,
    );
    await rejects(command(["--qmp", "/x", "--region", "a b"]), UsageError);
    await rejects(command(["--qmp", "/x", "--nonsense"]), UsageError);
  }
  await rejects(unplugCommand(["--qmp", "/x", "--guest", "127"]), /whole number from 0 to 126/);
  await rejects(unplugCommand(["--qmp", "/x", "--timeout", "0"]), /whole number from 1 to 3600/);
});

Deno.test("plug says what a VM that is paused will see, and unplug does not wait for it", async () => {
  using hosted = new HostedRegion(1);
  await using qemu = await TinyQemu.start(...slot(1));
  const { path } = hosted;
  const args = ["--qmp", qemu.secondSocket, "--region", path, "--id", "r"];
  match(await said(() => plugCommand(args)), /is device r in culvert-slot1\n.*the VM is paused/);
  equal(await pluggedIds(qemu), "r");
  await rejects(unplugCommand(args), /Cannot unplug r as the VM is paused: let it run/);
  equal(hosted.guests[0].isAskedToLeave, false);
});

Deno.test("unplug leaves the region where it is if the guest does not leave, unless it is forced", async () => {
  using hosted = new HostedRegion(2);
  attach(hosted.guests[1]);
  await using qemu = await TinyQemu.start(...NATIVE, ...slot(1));
  const args = ["--qmp", qemu.secondSocket, "--region", hosted.path];
  await said(() => plugCommand([...args, "--id", "r"])); // another id: unplug finds it by the region
  await qemu.qmp.execute("cont");

  const hasty = [...args, "--timeout", "1"];
  await rejects(unplugCommand(hasty), /has 2 places: say which by --guest \(0, 1\)/);
  await rejects(
    unplugCommand([...hasty, "--guest", "1"]),
    /^CulvertError: Cannot unplug r as guest 1 does not leave, it is RUNNING: see what it says/,
  );
  equal(await pluggedIds(qemu), "r");
  equal(hosted.guests[1].isAskedToLeave, false, "it may stay after all");

  const forced = await said(() => unplugCommand([...hasty, "--guest", "1", "--force"]));
  match(forced, /guest 1 does not leave, it is RUNNING; unplugging all the same\n.*r is unplugged/);
  equal(await pluggedIds(qemu), "");
});

Deno.test("unplug asks the guest of the device that is named", async () => {
  using hosted = new HostedRegion(1);
  await using qemu = await TinyQemu.start(...NATIVE, ...slot(1));
  const device = ["--qmp", qemu.secondSocket, "--id", "r"];
  await said(() => plugCommand([...device, "--region", hosted.path]));
  await qemu.qmp.execute("cont");
  const asked: boolean[] = [];
  const watch = setInterval(() => asked.push(hosted.guests[0].isAskedToLeave), 20);
  match(await said(() => unplugCommand(device)), /r is unplugged/);
  clearInterval(watch);
  equal(asked.includes(true), true);
  equal(hosted.guests[0].isAskedToLeave, false);
});

Deno.test("unplug wants --force where there is no host to ask the guest", async () => {
  using hosted = new HostedRegion(1);
  await using qemu = await TinyQemu.start(...NATIVE, ...slot(1));
  const args = ["--qmp", qemu.secondSocket, "--region", hosted.path];
  await said(() => plugCommand([...args, "--id", "r"]));
  await qemu.qmp.execute("cont");
  hosted.region.close();
  await rejects(
    unplugCommand(args),
    /as its host has closed it: .*The guest cannot be asked to leave: stop it in the VM, then use/,
  );
  equal(await pluggedIds(qemu), "r");
  match(await said(() => unplugCommand([...args, "--force"])), /; going on\n.*r is unplugged/);
});

Deno.test("plug makes a VM a peer of a region's server; unplug refuses, as QEMU would die", async () => {
  await using qemu = await TinyQemu.start(...slot(1));
  const region = `${qemu.folder}/server`;
  await using _ = await startServer(region);
  const args = ["--qmp", qemu.secondSocket, "--region", region];
  match(await said(() => plugCommand([...args, "--doorbell"])), /is device culvert-server in/);
  const [{ id, backing }] = await regionDevices(qemu.qmp);
  equal(`${id} ${backing.kind} ${backing.id}`, "culvert-server chardev culvert-server-server");
  const property = { path: `/machine/peripheral/${id}`, property: "vectors" };
  equal(await qemu.qmp.execute("qom-get", property), 3, "as many as the server has");

  await qemu.qmp.execute("cont");
  await rejects(unplugCommand(args), /Cannot unplug culvert-server as it is an ivshmem-doorbell: /);
  equal(await pluggedIds(qemu), "culvert-server");
});

/** Run `culvert server`, to be disposed of. */
async function startServer(socket: string): Promise<AsyncDisposable> {
  const main = fileURLToPath(new URL("../../app/main.ts", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", main, "server", "-F", "-S", socket, "-l", "1M", "-n", "3"],
    stdout: "null",
    stderr: "null",
  }).spawn();
  await until(() => listens(socket), "the server listens");
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

async function listens(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch {
    return false;
  }
}
