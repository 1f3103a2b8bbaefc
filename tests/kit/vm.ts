/** VMs with a guest in them. */
import assert from "node:assert/strict";
import { noWrongs } from "./flow_checker.ts";
import { BYTES_MAX } from "./flow_frame.ts";
import { type CableEnd, type Lab, PATIENCE_MS, type Running, waitUntil } from "./lab.ts";
import { childrenOf } from "./processes.ts";
import { newSeed } from "./random.ts";
import { type EndReport, Traffic } from "./traffic.ts";

/** Frames a second each way: a fifth of what a guest under TCG carries without loss. */
const RATE = 5000;
export const FRAMES = 10_000;

/** Room in the rings for 0.8 s of frames, for when a busy machine does not run QEMU. */
export const ROOM = ["--ring-size", "4096", "--mbufs", "16384"];

/** Start a VM with a forwarding guest, in the lab's region unless `options` name one. */
export function startVm(
  lab: Lab,
  options: readonly string[] = [],
  guest: readonly string[] = ["--no-mac-updating"],
): Running {
  const region = options.includes("--region") ? [] : ["--region", lab.region];
  return lab.culvert("qemu", ["--run", ...region, ...options, "--", "-T", "0", ...guest]);
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
  const run = newSeed();
  const both = await Promise.all(
    ends.map(({ netns, inner }, flow) =>
      Traffic.start(lab, netns, { run, bytesMax: BYTES_MAX, ends: [{ link: inner, flow }] })
    ),
  );
  for (const traffic of both) await traffic.tell({ count: frames, rate });
  let found: EndReport[] = [];
  const areThere = async () => {
    found = await Promise.all(both.map(async (traffic) => (await traffic.tell()).ends[0]));
    return found.every(({ received }) => received >= frames);
  };
  await waitUntil(areThere, PATIENCE_MS + 2 * frames / rate * 1000);
  for (const { sent, received, missing, missed, wrongs } of found) {
    const wanted = { sent: frames, received: frames, missing: 0, missed: 0, wrongs: noWrongs() };
    assert.deepEqual({ sent, received, missing, missed, wrongs }, wanted);
  }
  for (const { running } of both) await running.stop("SIGTERM");
  console.log(`  ${frames} frames each way, none lost or changed`);
}
