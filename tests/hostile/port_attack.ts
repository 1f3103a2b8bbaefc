/**
 * A host process with real ports under attack: the fault `attack` of tests/stage/faults.ts.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { childrenOf, isThere } from "../kit/processes.ts";
import { BOOT_MS, waitUntil } from "../kit/wait.ts";
import { Attack, type StartHostile } from "../stage/attack.ts";
import { faultNamed } from "../stage/faults.ts";
import type { StageReport } from "../stage/report.ts";
import { runFaults } from "../stage/rounds.ts";
import { startHostile } from "./hostile_guests.ts";

const VM_APP = fileURLToPath(new URL("./vm_hostile_guest.ts", import.meta.url));

/** Guests of the attacked region, all of them hostile. */
const PLACES = 2;

const inProcesses: StartHostile = (lab, region, seed) =>
  startHostile(lab, region, { seed, places: PLACES });

/**
 * Hostile guests in both places, in one VM with doorbells, with which they notify any peer. They
 * begin when the VM has booted: so the host's descriptors for it are open when they are first
 * counted.
 */
const inVm: StartHostile = async (lab, region, seed) => {
  const args = ["--run", "--doorbell", "--app", VM_APP, "--region", region];
  const vm = lab.culvert("qemu", [...args, "--", `${PLACES}`, `${seed}`]);
  await vm.stdoutLine(/hostile guest is ready/, BOOT_MS);
  return {
    begin: () => Promise.resolve(),
    async end() {
      const children = childrenOf(vm.pid);
      const { code, stdout, stderr } = await vm.stop("SIGINT");
      if (code !== 130) return `the VM has ended before, with ${code}: ${stdout}${stderr}`;
      console.log(`  ${stdout.match(/hostile guest has taken \d+ actions/g)?.at(-1)}`);
      const areGone = () => children.every(({ pid }) => !isThere(pid));
      return await waitUntil(areGone) ? "" : `QEMU is left: ${JSON.stringify(children)}`;
    },
  };
};

/** Attack a host for five seconds as long as it lives, and account for all sound frames. */
export async function attackPorts(
  { seed, lcores, kind, vm = false, log = () => {} }: {
    readonly seed: number;
    readonly lcores: number;
    /** By what the host has the veths open; AF_PACKET if left out. */
    readonly kind?: "packet" | "xdp";
    readonly vm?: boolean;
    readonly log?: (line: string) => void;
  },
): Promise<StageReport> {
  const faults = [faultNamed("attack")];
  return await runFaults({
    ...{ seed, lcores, kind, guests: ["process"], rate: 2000, mtu: 1500, calm: 0, log },
    attack: Attack.by(vm ? inVm : inProcesses, kind),
    nextFault: () => faults.shift(),
  });
}
