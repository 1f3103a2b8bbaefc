import { Random } from "../kit/random.ts";
import { aroundOneVm } from "./death_vm_kinds.ts";

Deno.test("server and host die, and a VM is paused: its guest goes on, in the same boot", async () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  console.log(`  seed ${seed}`);
  console.log(`  ${await aroundOneVm(1, new Random(seed))}`);
});
