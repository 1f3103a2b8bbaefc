/**
 * What dies around a VM. One VM lives through all of it, in the same boot, unless it is what is killed.
 *
 * @module
 */
import assert from "node:assert/strict";
import { QmpClient } from "../../app/vm/qmp.ts";
import type { Random } from "../kit/random.ts";
import { BOOT_MS, pause, type Running, waitUntil } from "../kit/lab.ts";
import { isThere, serverOf } from "../kit/processes.ts";
import { qemuOf, startVm } from "../kit/vm.ts";
import { type DeathKind, never } from "./death_kinds.ts";
import { DeathLab, kill, Recoveries } from "./death_lab.ts";

/** Milliseconds of traffic before a death, at most. */
const BEFORE_MS = 300;

/** A host, and a VM with its guest in it. */
class VmDeath {
  vm!: Running;
  #qmp = "";

  constructor(readonly death: DeathLab) {}

  /** Boot it, and wait until it forwards. */
  async boot(): Promise<void> {
    this.#qmp = this.death.lab.newPath();
    this.vm = startVm(this.death.lab, "--doorbell", "--qmp", this.#qmp);
    await this.attached();
  }

  /** A QEMU that is killed leaves its monitor's socket. */
  async clear(): Promise<void> {
    await Deno.remove(this.#qmp);
  }

  /** The host has let the guest in, once more. */
  async attached(): Promise<void> {
    await this.death.host.stderrLine(/guest 0 attached/, BOOT_MS);
  }

  /** What a monitor tells the VM. */
  async tell(command: "stop" | "cont"): Promise<void> {
    using client = await QmpClient.connect(this.#qmp);
    await client.execute(command);
  }
}

/** Something that is done to a VM; milliseconds until frames flowed again. */
type Once = (vm: VmDeath, dice: Random) => Promise<number>;

/** Do something again and again to a VM that is under traffic. */
function aroundVm(once: Once): DeathKind {
  return async (times, dice, isEnough = never) => {
    const recoveries = new Recoveries();
    await using death = await DeathLab.open({ guest: false });
    const vm = new VmDeath(death);
    await vm.boot();
    await death.lab.flows(death.wires);
    while (recoveries.count < times && !isEnough()) {
      await using _traffic = death.traffic();
      await pause(dice.below(BEFORE_MS));
      await recoveries.add(await once(vm, dice));
    }
    const qemu = qemuOf(vm.vm);
    await vm.vm.stop();
    assert(await waitUntil(() => !isThere(qemu)), "QEMU is gone");
    await death.finish();
    return recoveries.report();
  };
}

const killQemu: Once = async (vm) => {
  kill(qemuOf(vm.vm));
  await vm.vm.ended();
  await vm.clear();
  await vm.death.host.stderrLine(/guest 0 died/);
  await vm.boot();
  const start = performance.now(); // a VM takes its time to boot: that is not ours
  return await vm.death.flowsSince(start);
};

const killHost: Once = async (vm) => {
  const qemu = qemuOf(vm.vm);
  await vm.death.host.stop("SIGKILL");
  const start = performance.now();
  await vm.death.startHost();
  await vm.attached();
  const took = await vm.death.flowsSince(start);
  assert.equal(qemuOf(vm.vm), qemu, "it is the same boot");
  return took;
};

const pauseVm: Once = async (vm) => {
  await vm.tell("stop");
  await vm.death.host.stderrLine(/guest 0 died: its heartbeat stopped/);
  await pause(500);
  const start = performance.now();
  await vm.tell("cont");
  await vm.attached();
  return await vm.death.flowsSince(start);
};

const killServer: Once = async (vm) => {
  kill(serverOf(vm.death.region)!);
  const start = performance.now();
  const took = await vm.death.flowsSince(start);
  await vm.death.host.stderrLine(/the server is there again/);
  return took;
};

/** Server, host and VM, one after another, around one VM in one boot: what tests have time for. */
export const aroundOneVm: DeathKind = async (times, dice) => {
  const found: string[] = [];
  await aroundVm(async (vm, dice) => {
    for (const once of [killServer, killHost, pauseVm]) {
      found.push(`${once.name} ${Math.round(await once(vm, dice))} ms`);
    }
    return 0;
  })(times, dice);
  return found.join(", ");
};

/** By name, as `--only` has them. */
export const VM_DEATHS: Record<string, DeathKind> = {
  "qemu": aroundVm(killQemu),
  "vm-host": aroundVm(killHost),
  "vm-pause": aroundVm(pauseVm),
  "vm-server": aroundVm(killServer),
};
