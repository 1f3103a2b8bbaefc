import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  addMempool,
  addMemzone,
  addRing,
  atomicsCheckBytes,
  attachMempool,
  checkAtomics,
  hostRegion,
  type OpenedRegion,
  type Region,
  type SpscRing,
} from "../../app/api.ts";
import { BOOT_MS, Lab, PATIENCE_MS, pause, type Running, until } from "../kit/lab.ts";
import { qemusNaming } from "../kit/processes.ts";
import {
  CONTROL,
  ENOUGH,
  FrameExchange,
  FRAMES,
  type GuestReport,
  GUESTS,
  Hammer,
  PARTIES,
  POOL_MBUFS,
  REPORT,
  ringFrom,
  ZONE,
} from "./memzones_plan.ts";
import { shim } from "../../ffi/shim.ts";
import { runWorkers } from "../ffi/run_workers.ts";
import type { AtomicsAnswer, AtomicsOrder } from "../toolkit/atomics_check_worker.ts";
import { Burst } from "../../app/ring/burst.ts";

const MIB = 1 << 20;
const CHECKER = new URL("../toolkit/atomics_check_worker.ts", import.meta.url);
const GUEST_APP = fileURLToPath(new URL("./memzones_guest.ts", import.meta.url));

/** Start a VM with the test's guest, which has these regions as devices, in this order. */
function startVm(
  lab: Lab,
  name: string,
  regions: readonly Region[],
  more: readonly string[] = [],
  under: string[] = [],
): Running {
  const args = [
    ...regions.flatMap((region) => ["--region", region.name]),
    ...more.map((arg) => `--qemu-arg=${arg}`),
  ];
  return lab.culvert("qemu", ["--app", GUEST_APP, "--run", ...args, "--", name], { under });
}

/** End QEMUs that have a region mapped, which live on without `culvert qemu`. */
function endQemus(path: string): void {
  for (const pid of qemusNaming(`mem-path=${path},`)) Deno.kill(pid, "SIGKILL");
}

/** A new region in a file of the lab's, labelled. */
async function labelled(lab: Lab, label: string, bytes: number): Promise<OpenedRegion> {
  const opened = await hostRegion(lab.newPath(), bytes);
  const text = new TextEncoder().encode(label);
  addMemzone(opened.region, ZONE.LABEL, 32, ({ u8 }) => u8.set(text));
  return opened;
}

/** The guest's next report, which must be about `what`. */
async function report<What extends GuestReport["what"]>(
  vm: Running,
  what: What,
  patience = PATIENCE_MS * 4,
): Promise<Extract<GuestReport, { what: What }>> {
  const line = await vm.stdoutLine(/^REPORT /, patience);
  const found: GuestReport = JSON.parse(line.slice(REPORT.length));
  assert.equal(found.what, what, line);
  return found as Extract<GuestReport, { what: What }>;
}

/** Do something again and again until `promise` is fulfilled, and let others run in between. */
async function meanwhile<T>(promise: Promise<T>, step: () => void): Promise<T> {
  let isDone = false;
  const finished = promise.finally(() => isDone = true);
  finished.catch(() => {}); // it is awaited below
  while (!isDone) {
    for (const end = performance.now() + 2; performance.now() < end;) step();
    await pause(0);
  }
  return await finished;
}

/** See that all mbufs are there, each once, and nobody's stamp is on any. */
function assertConserved(region: Region): void {
  const { pool, mbufs } = attachMempool(region, ZONE.POOL);
  const burst = Burst.of(mbufs.count);
  assert.equal(pool.allocBurst(burst, mbufs.count), mbufs.count, "some are missing");
  const indexes = new Set(burst.words.filter((_, word) => word % 2 === 0));
  assert.equal(indexes.size, mbufs.count, "some are there twice");
  for (const index of indexes) assert.equal(mbufs.u32[mbufs.frameByte(index, 0) >>> 2], 0);
  pool.free(burst, mbufs.count);
}

Deno.test("two VMs find memzones, rings and mempools by name, and share them with each other and the host", async () => {
  await using lab = await Lab.open();
  using stack = new DisposableStack();
  const common = stack.use(await labelled(lab, "common", 2 * MIB)).region;
  const check = addMemzone(common, ZONE.ATOMICS, atomicsCheckBytes(PARTIES));
  const control = addMemzone(common, ZONE.CONTROL, 4096);
  for (const name of GUESTS) addRing(common, ringFrom(name), 64, { kind: "spsc" });
  const shared = addMempool(common, ZONE.POOL, { count: POOL_MBUFS });
  common.publish();
  const own: { region: Region; ring: SpscRing; frames: FrameExchange }[] = [];
  for (const name of GUESTS) {
    const { region } = stack.use(await labelled(lab, name, MIB));
    const text = new TextEncoder().encode(`I am ${name} of ${GUESTS.join(" and ")}`);
    addMemzone(region, ZONE.CONFIG, 1024, ({ u8 }) => u8.set(text));
    const ring = addRing(region, ZONE.FRAMES, 64, { kind: "spsc" });
    const pool = addMempool(region, ZONE.POOL, { count: 40, dataRoom: 256 });
    region.publish();
    own.push({ region, ring, frames: new FrameExchange(pool.pool, pool.mbufs) });
  }

  // The devices come in another order in either VM: a guest tells them apart by what is in them.
  const vms = GUESTS.map((name, i) => {
    const both = [common, own[i].region];
    return startVm(lab, name, i === 0 ? both : both.reverse());
  });
  stack.defer(() => endQemus(common.name)); // before the lab waits for them
  for (const [i, vm] of vms.entries()) {
    const { regions, text } = await report(vm, "attached", BOOT_MS);
    assert.equal(text, `I am ${GUESTS[i]} of alpha and beta`);
    const names = ({ zones }: Region) => zones.map(({ name }) => name);
    assert.deepEqual(regions, {
      common: names(common),
      [GUESTS[i]]: names(own[i].region),
    }, "it sees its own and the common one, and not the other's");
  }

  const late = new TextEncoder().encode("added while both are attached");
  addMemzone(common, ZONE.LATE, 64, ({ u8 }) => u8.set(late));
  for (const vm of vms) {
    assert.equal((await report(vm, "late")).text, "added while both are attached");
  }

  const additions = checkAtomics(check, PARTIES - 1, PARTIES, { patience: 3 * PATIENCE_MS });
  for (const vm of vms) assert.equal((await report(vm, "atomics")).additions, additions);
  console.log(`  ${additions} additions to one word by two VMs and the host, none lost`);

  for (const vm of vms) {
    const { sent, faults } = await report(vm, "exchanged");
    assert.deepEqual({ sent, faults }, { sent: FRAMES, faults: [] });
  }
  assert.equal(shared.pool.available, POOL_MBUFS, "each freed what the other had allocated");

  for (const { ring, frames } of own) {
    for (const end = performance.now() + 3 * PATIENCE_MS; frames.received < FRAMES;) {
      if (frames.receive(ring) === 0) await pause(1);
      assert(performance.now() < end, `only ${frames.received} of ${FRAMES} frames came`);
    }
    assert.deepEqual(frames.faults, []);
  }

  const { pool, mbufs } = attachMempool(common, ZONE.POOL, { cacheSize: 8 });
  const hammer = new Hammer(pool, mbufs, PARTIES);
  const haveEnough = () =>
    hammer.allocated > ENOUGH &&
    GUESTS.every((_, party) => control.load(CONTROL.ALLOCATED + party) > ENOUGH);
  await meanwhile(
    Promise.all([pause(3000), until(haveEnough, "each has allocated enough")]),
    () => hammer.step(),
  );
  control.store(CONTROL.STOP, 1);
  const hammered = await meanwhile(
    Promise.all(vms.map((vm) => report(vm, "hammered"))),
    () => hammer.step(),
  );
  for (const { allocated, wrong, partial } of [...hammered, hammer.end()]) {
    assert.deepEqual({ wrong, partial }, { wrong: 0, partial: 0 });
    console.log(`  ${allocated} mbufs allocated and freed by one of three`);
  }
  for (const { region } of [{ region: common }, ...own]) assertConserved(region);
  for (const vm of vms) assert.equal((await vm.ended()).code, 0, vm.stderr);
  stack.dispose();
  await lab.nothingLeft();
});

/** Tries of what needs the VM and this process to run at the same time; a busy machine may not. */
const TRIES = 3;

/** Check atomics with a VM that QEMU emulates without; false if no addition was lost. */
async function noticesLostAdditions(): Promise<boolean> {
  await using lab = await Lab.open();
  using stack = new DisposableStack();
  const common = stack.use(await labelled(lab, "common", MIB)).region;
  addMemzone(common, ZONE.ATOMICS, atomicsCheckBytes(2));
  const zone = common.zones.find(({ name }) => name === ZONE.ATOMICS)!;
  addMemzone(common, ZONE.LATE, 64);
  common.publish();
  const own = stack.use(await labelled(lab, GUESTS[0], MIB)).region;
  addMemzone(own, ZONE.CONFIG, 64);
  own.publish();
  // A core each: on a busy machine both may have the same one all the time, and nothing is lost.
  const cores = Array.from({ length: 1024 }, (_, core) => core)
    .filter((core) => shim.shim_thread_may_run_on(core) === 1);
  const onItsCore = ["taskset", "-c", `${cores[0]}`];
  const vm = startVm(lab, GUESTS[0], [common, own], ["-smp", "1,maxcpus=1"], onItsCore);
  stack.defer(() => endQemus(common.name));
  await report(vm, "attached", BOOT_MS);
  await report(vm, "late");
  const lost = /[1-9]\d* of \d+ additions to one word were lost: .* -smp 1,maxcpus=2/;
  const [answer] = await runWorkers<AtomicsOrder, AtomicsAnswer>(CHECKER, [{
    memory: common.memory.handle,
    zone,
    party: 1,
    parties: 2,
    isBroken: false,
    additions: 10_000_000,
    core: cores[1],
  }]);
  if (!lost.test(`${answer}`)) return false;
  assert.match((await report(vm, "failed")).message, lost);
  assert.equal((await vm.ended()).code, 1);
  return true;
}

Deno.test("checkAtomics() fails in a VM that QEMU emulates without atomics", async () => {
  let tries = 1;
  while (!await noticesLostAdditions()) assert(++tries <= TRIES, "no addition was lost");
});
