import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Lab } from "../kit/lab.ts";
import { isThere } from "../kit/processes.ts";
import { qemuOf } from "../kit/vm.ts";
import { BOOT_MS, waitUntil } from "../kit/wait.ts";
import { type Attack, ATTACKED_PLACES, besiegePorts } from "./port_siege.ts";

const APP = fileURLToPath(new URL("./vm_besieger.ts", import.meta.url));

/** Besiegers in all places, in one VM. */
function vm(lab: Lab, region: string, seed: number): Promise<Attack> {
  const args = ["--run", "--doorbell", "--app", APP, "--region", region];
  const running = lab.culvert("qemu", [...args, "--", `${ATTACKED_PLACES}`, `${seed}`]);
  let qemu = 0;
  return Promise.resolve({
    async begin() {
      await running.stdoutLine(/besieger is ready/, BOOT_MS);
      qemu = qemuOf(running);
    },
    async end() {
      const { code, stdout, stderr } = await running.stop("SIGINT");
      if (code !== 130) return `the VM has ended before, with ${code}: ${stdout}${stderr}`;
      console.log(`  ${stdout.match(/besieger has done \d+ deeds in each place/g)?.at(-1)}`);
      return await waitUntil(() => !isThere(qemu)) ? "" : `QEMU ${qemu} is left`;
    },
  });
}

Deno.test("A host whose attackers are in a VM keeps its promises", async () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] >>> 2;
  console.log(`  seed ${seed}`);
  const siege = await besiegePorts({ seed, seconds: 5 }, vm);
  console.log(`  ${siege.told}`);
  assert.deepEqual(siege.complaints, [], siege.summary);
  assert.match(siege.summary, /^ {2}violations by guest [01] of region /m);
});
