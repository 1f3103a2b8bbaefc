import { equal, throws } from "node:assert/strict";
import { bindToNode, NODE_MAX } from "../../app/linux/numa.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";

Deno.test("bindToNode() keeps memory on a node that is there, and what it holds", () => {
  using memory = freshMemory(1 << 20);
  memory.u8.fill(7);
  bindToNode(memory, 0);
  equal(memory.u8.every((byte) => byte === 7), true);
  memory.u8.fill(8);
});

Deno.test("bindToNode() refuses a node that is not there, and says where they are listed", () => {
  using memory = freshMemory(1 << 20);
  throws(() => bindToNode(memory, NODE_MAX), {
    name: "ShimError",
    message:
      "Cannot bind 1048576 bytes to NUMA node 63 as the kernel says EINVAL: the nodes with " +
      "memory are in /sys/devices/system/node/has_memory; use one that has room",
  });
});

Deno.test("bindToNode() refuses a number that can be no node", () => {
  using memory = freshMemory(1 << 20);
  throws(() => bindToNode(memory, NODE_MAX + 1), {
    message: /NUMA node 64 as the kernel says EINVAL/,
  });
});

Deno.test("bindToNode() refuses memory that is not mapped any more", () => {
  const memory = freshMemory(1 << 20);
  memory.close();
  throws(() => bindToNode(memory, 0), { message: /NUMA node 0 as the kernel says EBADF/ });
});
