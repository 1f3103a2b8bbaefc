import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Peer } from "../../app/ivshmem/peer.ts";
import { openRegion } from "../../app/region/region_source.ts";
import { shim } from "../../ffi/shim.ts";
import { BOOT_MS, Lab, until } from "../kit/lab.ts";
import { qemusNaming } from "../kit/processes.ts";

const GREETING = 0x600d;

/** The members of a region besides `peer`, as it knows them now. */
function members(peer: Peer): number[] {
  peer.poll();
  return [...peer.others.keys()];
}

Deno.test("two VMs that culvert qemu starts ring us, and we ring each of their vectors", async () => {
  await using lab = await Lab.open();
  const server = lab.culvert("server", ["-F", "-S", lab.region, "-l", "1M", "-n", "3"]);
  await server.stderrLine(/is ready/);
  const { peer, memory, close } = openRegion(lab.region)!;
  using _ = { [Symbol.dispose]: close };
  assert(peer);
  memory.store(1, GREETING);
  const file = lab.newPath();
  await Deno.writeFile(file, new Uint8Array(4096));

  const app = fileURLToPath(new URL("vm_doorbell_guest.ts", import.meta.url));
  const regions = ["--region", lab.region, "--region", file];
  const guests = ["--guest", "3", "--guest", "5"];
  const options = ["--run", "--doorbell", "--app", app, "--", `${peer.id}`];
  const vms = lab.culvert("qemu", [...regions, ...guests, ...options]);
  const ready = await Promise.all([3, 5].map((guest) => {
    const line = new RegExp(`^\\[${guest}\\] --guest ${guest}: peer .*`);
    return vms.stdoutLine(line, BOOT_MS);
  }));
  const ids = ready.map((line) => Number(/peer (\d+), 3 vectors, 1 plain, 600d/.exec(line)?.[1]));
  await until(() => members(peer).length >= 2, "we have read of both: few messages fit at a time");
  assert.deepEqual(ids.toSorted(), members(peer).toSorted(), ready.join("\n"));

  let rung = 0;
  const haveRung = () => (rung += shim.shim_eventfd_drain(peer.vectors[0])) === 2;
  await until(haveRung, () => `${rung} of 2 VMs have rung`);
  for (const id of ids) for (const vector of [0, 1, 2]) assert(peer.ring(id, vector));
  const { code, stdout, stderr } = await vms.ended(BOOT_MS);
  assert.equal(code, 0, stderr);
  for (const guest of [3, 5]) assert.match(stdout, new RegExp(`^\\[${guest}\\] rung 1,1,1$`, "m"));
  await until(() => members(peer).length === 0, "they leave");
  assert.equal((await server.stop()).code, 0);
});

Deno.test("culvert qemu takes its VM along when it is killed", async () => {
  await using lab = await Lab.open();
  const file = lab.newPath();
  await Deno.writeFile(file, new Uint8Array(4096));
  const running = lab.culvert("qemu", ["--run", "--region", file]);
  const qemus = () => qemusNaming(file);
  await until(() => qemus().length === 1, "QEMU runs", BOOT_MS);
  running.kill("SIGKILL");
  await running.ended();
  await until(() => qemus().length === 0, "QEMU ends");
});
