/** VMs with a guest in them. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type CableEnd, type Lab, PATIENCE_MS, type Running } from "./lab.ts";
import { childrenOf } from "./processes.ts";
import type { PeerReport } from "../system/numbered_peer.ts";

/** Frames a second each way: a fifth of what a guest under TCG carries without loss. */
const RATE = 5000;
export const FRAMES = 10_000;

/** Room in the rings for 0.8 s of frames, for when a busy machine does not run QEMU. */
export const ROOM = ["--ring-size", "4096", "--mbufs", "16384"];

/** Start a VM with a forwarding guest, in the lab's region unless `options` name one. */
export function startVm(lab: Lab, ...options: string[]): Running {
  const region = options.includes("--region") ? [] : ["--region", lab.region];
  const guest = ["-T", "0", "--no-mac-updating"];
  return lab.culvert("qemu", ["--run", ...region, ...options, "--", ...guest]);
}

/** The process id of the QEMU that `culvert qemu` runs. */
export function qemuOf(vm: Running): number {
  const found = childrenOf(vm.pid).filter(({ name }) => name.startsWith("qemu-system"));
  assert.equal(found.length, 1, `QEMUs of process ${vm.pid}: ${JSON.stringify(found)}`);
  return found[0].pid;
}

/** Send numbered frames from each end to the other: all must arrive, in order, unchanged. */
export async function exchangeNumbered(
  lab: Lab,
  ends: CableEnd[],
  { frames = FRAMES, rate = RATE } = {},
): Promise<void> {
  const peers = ends.map(({ netns, inner }, i) => {
    const args = [inner, 1 + i, ends.length - i, frames, rate].map(String);
    const script = fileURLToPath(new URL("../system/numbered_peer.ts", import.meta.url));
    return lab.start("ip", "netns", "exec", netns, Deno.execPath(), "run", "-A", script, ...args);
  });
  for (const peer of peers) await peer.stdoutLine(/^READY/);
  for (const peer of peers) await peer.write("go");
  for (const peer of peers) {
    const { code, stdout, stderr } = await peer.ended(3 * PATIENCE_MS);
    assert.equal(code, 0, stderr);
    const { foreign: _, seconds, ...rest }: PeerReport = JSON.parse(stdout.split("\n")[1]);
    assert.deepEqual(rest, { sent: frames, next: frames, faults: "", missed: 0 });
    console.log(`  ${frames} frames in ${seconds.toFixed(1)} s, none lost or changed`);
  }
}
