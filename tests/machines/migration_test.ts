import assert from "node:assert/strict";
import { deviceId, plugRegion, regionDevices, unplugDevice } from "../../app/vm/plug.ts";
import { QmpClient } from "../../app/vm/qmp.ts";
import { slot, TinyQemu } from "../vm/tiny_qemu.ts";
import {
  account,
  assertBalanced,
  BOOT_MS,
  Lab,
  packetPorts,
  PATIENCE_MS,
  type Running,
  until,
  waitUntil,
} from "../kit/lab.ts";

const BYTES = 1 << 20;
const PAGE = 4096;

/** PCI Express's own hotplug: a guest that has not switched a slot on need not let go of it. */
const NATIVE = ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"];

/** Files that may be regions to QEMU, in a folder that is removed in the end. */
class Regions implements Disposable {
  readonly folder = Deno.makeTempDirSync({ dir: "/dev/shm", prefix: "culvert-test-" });

  /** A region whose bytes are told by their offset. */
  make(name: string, byteAt: (offset: number) => number): string {
    const path = `${this.folder}/${name}`;
    Deno.writeFileSync(path, Uint8Array.from({ length: BYTES }, (_, offset) => byteAt(offset)));
    return path;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** The arguments for a region's device that was there from the start. */
function device(path: string, more = ""): string[] {
  const backend = `memory-backend-file,id=culvert,share=on,mem-path=${path},size=${BYTES}`;
  return ["-object", backend, "-device", `ivshmem-plain,memdev=culvert${more}`];
}

async function status(qmp: QmpClient): Promise<string | undefined> {
  return (await qmp.execute<{ status?: string }>("query-migrate")).status;
}

/** Wait until a migration, out or in, is at an end. */
async function migrated(qmp: QmpClient): Promise<void> {
  const isOver = async () => ["completed", "failed"].includes(await status(qmp) ?? "");
  assert(await waitUntil(isOver, 3 * PATIENCE_MS), `the migration is ${await status(qmp)}`);
  assert.equal(await status(qmp), "completed");
}

/** Migrate a machine into a file. */
async function migrateTo(file: string, qmp: QmpClient): Promise<void> {
  await qmp.execute("migrate", { uri: `exec:cat > ${file}` });
  await migrated(qmp);
}

/** Load a machine from a file; it was started with `-incoming defer`. */
async function migrateFrom(file: string, qmp: QmpClient): Promise<void> {
  await qmp.execute("migrate-incoming", { uri: `exec:cat ${file}` });
  await migrated(qmp);
}

/** Switch a migration capability on. */
async function enable(qmp: QmpClient, capability: string): Promise<void> {
  await qmp.execute("migrate-set-capabilities", { capabilities: [{ capability, state: true }] });
}

Deno.test("QEMU refuses to migrate a VM that has a region, unless it is the region's master", async () => {
  using regions = new Regions();
  const path = regions.make("region", () => 1);
  for (const master of ["", ",master=off"]) {
    await using qemu = await TinyQemu.start(...device(path, master));
    await assert.rejects(qemu.qmp.execute("migrate", { uri: "exec:cat > /dev/null" }), {
      name: "QmpError",
      description: "Migration is disabled when using feature 'peer mode' in device 'ivshmem'",
    });
  }
});

Deno.test("a migrated master=on overwrites all of the destination's region", async () => {
  using regions = new Regions();
  const here = regions.make("here", (offset) => offset < 8 * PAGE ? offset * 7 + 1 : 0);
  const there = regions.make("there", () => 0xee);
  const file = `${regions.folder}/vm`;
  {
    await using source = await TinyQemu.start(...device(here, ",master=on"));
    await migrateTo(file, source.qmp);
  }
  const incoming = ["-incoming", "defer"];
  await using destination = await TinyQemu.start(...device(there, ",master=on"), ...incoming);
  assert.equal(Deno.readFileSync(there)[0], 0xee);
  await migrateFrom(file, destination.qmp);
  assert.deepEqual(Deno.readFileSync(there), Deno.readFileSync(here), "zeroed pages too");
});

Deno.test("a migrated master=on misses what the host writes meanwhile", async () => {
  using regions = new Regions();
  const here = regions.make("here", () => 1);
  const there = regions.make("there", () => 0);
  const file = `${regions.folder}/vm`;
  {
    await using source = await TinyQemu.start(...device(here, ",master=on"));
    const { qmp } = source;
    await enable(qmp, "pause-before-switchover"); // when all that QEMU thinks has changed is sent
    await qmp.execute("migrate-set-parameters", { "downtime-limit": 0 });
    await qmp.execute("migrate", { uri: `exec:cat > ${file}` });
    const isPaused = async () => await status(qmp) === "pre-switchover";
    await until(isPaused, "the migration pauses");
    Deno.writeFileSync(here, new Uint8Array(BYTES).fill(2));
    await qmp.execute("migrate-continue", { state: "pre-switchover" });
    await migrated(qmp);
  }
  const incoming = ["-incoming", "defer"];
  await using destination = await TinyQemu.start(...device(there, ",master=on"), ...incoming);
  await migrateFrom(file, destination.qmp);
  assert(Deno.readFileSync(there).every((byte) => byte === 1), "as it was before");
});

Deno.test("with x-ignore-shared, a VM moves to another QEMU and leaves the region as it is", async () => {
  using regions = new Regions();
  const path = regions.make("region", () => 1);
  const file = `${regions.folder}/vm`;
  {
    await using source = await TinyQemu.start(...device(path, ",master=on"));
    await enable(source.qmp, "x-ignore-shared");
    await migrateTo(file, source.qmp);
  }
  Deno.writeFileSync(path, new Uint8Array(BYTES).fill(2)); // its host goes on
  await using destination = await TinyQemu.start(
    ...device(path, ",master=on"),
    ...["-incoming", "defer"],
  );
  await enable(destination.qmp, "x-ignore-shared");
  await migrateFrom(file, destination.qmp);
  assert(Deno.readFileSync(path).every((byte) => byte === 2));
});

Deno.test("a VM migrates while its region is unplugged, and gets the destination's", async () => {
  using regions = new Regions();
  const here = regions.make("here", () => 1);
  const there = regions.make("there", () => 2);
  const file = `${regions.folder}/vm`;
  const machine = [...NATIVE, ...slot(1)];
  const options = { id: deviceId("r"), doorbell: false };
  const place = (path: string) => ({ path, bytes: BYTES, vectors: 0 });
  {
    await using source = await TinyQemu.start(...machine);
    const { qmp } = source;
    await plugRegion(qmp, "r", place(here), options);
    await assert.rejects(qmp.execute("migrate", { uri: "exec:cat > /dev/null" }), /peer mode/);
    await unplugDevice(qmp, (await regionDevices(qmp))[0], PATIENCE_MS);
    await migrateTo(file, qmp);
  }
  await using destination = await TinyQemu.start(...machine, "-incoming", "defer");
  const { qmp } = destination;
  await migrateFrom(file, qmp);
  await plugRegion(qmp, "r", place(there), options);
  assert.equal((await regionDevices(qmp))[0].path, there);
  assert(Deno.readFileSync(there).every((byte) => byte === 2), "its content is its host's");
});

/** Two cables, a host of their own region between them. */
async function startHost(lab: Lab) {
  const region = lab.newRegion();
  const pair = await lab.namespacePair({ quiet: true });
  const ports = packetPorts(pair.a, pair.b);
  const host = await lab.startHost([...ports, "--region", region]);
  return { region, host, wires: await lab.wires(pair) };
}

/** A VM without a region. */
function startVm(lab: Lab, qmp: string, ...qemuArgs: string[]): Running {
  return lab.culvert("qemu", [
    ...["--run", "--no-region", "--qmp", qmp, "--hotplug", "1"],
    ...qemuArgs.map((arg) => `--qemu-arg=${arg}`),
    ...["--", "-T", "0", "--no-mac-updating"],
  ]);
}

/** Run `culvert plug` or `unplug` to its end. */
async function plug(lab: Lab, command: "plug" | "unplug", qmp: string, region: string) {
  const args = ["--qmp", qmp, "--region", region];
  const { code, stderr } = await lab.culvert(command, args).ended(3 * PATIENCE_MS);
  assert.equal(code, 0, stderr);
}

Deno.test("a VM that forwards for one host migrates, and forwards for another", async () => {
  await using lab = await Lab.open();
  const [here, there] = [await startHost(lab), await startHost(lab)];
  const sockets = [lab.newPath(), lab.newPath()];
  const [channel, source, destination] = [lab.newPath(), ...sockets];

  const before = startVm(lab, source);
  await before.stdoutLine(/waiting for ivshmem device auto/, BOOT_MS);
  await plug(lab, "plug", source, here.region);
  await here.host.stderrLine(/guest 0 attached/, BOOT_MS);
  await before.stdoutLine(/forwarding \(l2fwd\)/, BOOT_MS);
  await lab.flows(here.wires);

  await plug(lab, "unplug", source, here.region);
  const after = startVm(lab, destination, "-incoming", "defer");
  await until(() => canConnect(destination), "a second QEMU listens", BOOT_MS);
  {
    using from = await QmpClient.connect(source);
    using to = await QmpClient.connect(destination);
    await to.execute("migrate-incoming", { uri: `unix:${channel}` });
    await from.execute("migrate", { uri: `unix:${channel}` });
    await migrated(from);
    await migrated(to);
  }
  assert.notEqual((await before.stop()).code, 0);

  await plug(lab, "plug", destination, there.region);
  await there.host.stderrLine(/guest 0 attached/, BOOT_MS);
  await after.stdoutLine(/forwarding \(l2fwd\)/, BOOT_MS);
  await lab.flows(there.wires);

  await plug(lab, "unplug", destination, there.region);
  assert.notEqual((await after.stop()).code, 0);
  for (const { host } of [here, there]) {
    const { code, stdout, stderr } = await host.stop();
    assert.equal(code, 0, stderr);
    assertBalanced(account(stdout));
  }
  await lab.nothingLeft();
});

async function canConnect(socket: string): Promise<boolean> {
  try {
    (await QmpClient.connect(socket)).close();
    return true;
  } catch {
    return false; // it is not there yet
  }
}
