import type { Finding, Probes } from "./check.ts";
import {
  checkCores,
  checkGovernor,
  checkHugepages,
  checkKvm,
  checkSharedMemory,
} from "./check_machine.ts";
import { checkOffloads, checkQemu } from "./check_programs.ts";
import { checkCapabilities, checkDescriptors, checkMemlock, checkTun } from "./check_rights.ts";
import { checkVersions } from "./check_versions.ts";

/**
 * All checks, in the order in which they are told.
 *
 * @param interfaces Interfaces to look at, besides those of hosts that run.
 * @param version Ours.
 */
export async function examine(
  probes: Probes,
  interfaces: readonly string[],
  version: string,
): Promise<Finding[]> {
  const ports = probes.programs().flatMap((program) => program.interfaces);
  return [
    await checkQemu(probes),
    checkKvm(probes),
    checkCapabilities(probes),
    checkTun(probes),
    checkMemlock(probes),
    checkDescriptors(probes),
    checkSharedMemory(probes),
    checkHugepages(probes),
    checkCores(probes),
    checkGovernor(probes),
    ...await checkOffloads(probes, [...new Set([...interfaces, ...ports])]),
    ...checkVersions(probes, version),
  ];
}
