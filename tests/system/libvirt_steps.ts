import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { assertNothingBroken, untilReachable } from "../kit/kernel_traffic.ts";
import { BOOT_MS, type CableEnd, type Lab, type Running } from "../kit/lab.ts";
import type { Libvirt } from "../kit/libvirt.ts";
import { exchangeNumbered } from "../kit/vm.ts";

const CACHE = fileURLToPath(new URL("../../.cache/vm", import.meta.url));

/** libvirt's QEMU. */
export const USER = "libvirt-qemu";

/** What is told on stderr, and the domain. */
interface Printed {
  readonly xml: string;
  readonly advice: string;
}

/** What `culvert qemu --libvirt` prints of a region. */
export async function printed(lab: Lab, region: string, options: string[] = []): Promise<Printed> {
  const guest = ["--", "--no-mac-updating", "-T", "0"];
  const cache = ["--cache", await readableCache(lab)];
  const args = ["--libvirt", "--region", region, ...cache, ...options, ...guest];
  const { code, stdout, stderr } = await lab.culvert("qemu", args).ended(BOOT_MS);
  assert.equal(code, 0, stderr);
  return { xml: stdout, advice: stderr };
}

/**
 * Where images are kept, if libvirt's QEMU may read there; else a folder with the same kernel,
 * which stays for the next run.
 */
async function readableCache(lab: Lab): Promise<string> {
  await lab.culvert("image", []).ended(BOOT_MS);
  const under = ["setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups"];
  const { code } = await lab.tryRun(...under, "test", "-r", `${CACHE}/kernel`);
  if (code === 0) return CACHE;
  const copy = "/var/tmp/culvert-test-images";
  await lab.tryRun("mkdir", "-p", copy);
  await lab.tryRun("cp", "-rn", `${CACHE}/kernel`, copy);
  return copy;
}

/** See that a VM forwards, and end it. */
export async function forwards(
  lab: Lab,
  libvirt: Libvirt,
  host: Running,
  { a, b }: { a: CableEnd; b: CableEnd },
): Promise<void> {
  await host.stderrLine(/guest 0 attached/, BOOT_MS);
  await untilReachable(lab, a, b, BOOT_MS);
  await exchangeNumbered(lab, [a, b], { frames: 3000, rate: 1000 });
  await assertNothingBroken(lab, a, b);
  await libvirt.destroyAll();
  await host.stderrLine(/guest 0 died/);
  await lab.finishHost(host);
}
