import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { MappedMemory, sealedMemfd } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import {
  hugetlbMountOf,
  nodesOfRegion,
  observeHostMachine,
  parseHugetlbMounts,
  parseNumaMaps,
} from "../../app/vm/host_machine.ts";
import { MACHINE } from "./launch_lab.ts";

Deno.test("parseHugetlbMounts() finds mounts and the size of their pages", () => {
  const text = "proc /proc proc rw 0 0\n" +
    "hugetlbfs /dev/hugepages hugetlbfs rw,relatime,pagesize=2M 0 0\n" +
    "none /mnt/huge1G hugetlbfs rw,pagesize=1024M 0 0\n" +
    "none /mnt/small hugetlbfs rw,pagesize=64K 0 0\n";
  deepStrictEqual(parseHugetlbMounts(text), [
    { folder: "/dev/hugepages", pageKiB: 2048 },
    { folder: "/mnt/huge1G", pageKiB: 1024 ** 2 },
    { folder: "/mnt/small", pageKiB: 64 },
  ]);
});

Deno.test("hugetlbMountOf() finds the innermost mount of a folder", () => {
  const inner = { folder: "/dev/hugepages/1G", pageKiB: 1024 ** 2 };
  const machine = { ...MACHINE, hugetlbMounts: [...MACHINE.hugetlbMounts, inner] };
  strictEqual(hugetlbMountOf("/dev/hugepages/", machine).pageKiB, 2048);
  strictEqual(hugetlbMountOf("/dev/hugepages/1GB", machine).pageKiB, 2048);
  strictEqual(hugetlbMountOf("/dev/hugepages/1G/vm", machine), inner);
});

Deno.test("parseNumaMaps() finds the nodes of a file's pages, and no other file's", () => {
  const text = "7f00 default file=/dev/shm/r dirty=9 N0=5 N3=4 kernelpagesize_kB=4\n" +
    "7f01 default file=/dev/shm/r2 dirty=9 N1=5 kernelpagesize_kB=4\n" +
    "7f02 bind:2 file=/memfd:culvert-a\\040(deleted) mapped=1 N2=1 kernelpagesize_kB=4\n" +
    "7f03 default heap anon=3 N1=3\n";
  deepStrictEqual(parseNumaMaps(text, "/dev/shm/r"), [0, 3]);
  deepStrictEqual(parseNumaMaps(text, "/memfd:culvert-a (deleted)"), [2]);
  deepStrictEqual(parseNumaMaps(text, "/dev/shm"), []);
});

Deno.test("nodesOfRegion() finds the node of pages that a process has touched", () => {
  const fd = sealedMemfd("culvert-test nodes", 8192);
  const path = `/proc/${Deno.pid}/fd/${fd}`;
  const memory = MappedMemory.ofFile(fd, 8192, "a memfd");
  try {
    deepStrictEqual(nodesOfRegion(path), [], "no page is anywhere yet");
    memory.store(0, 1);
    const [node, ...more] = nodesOfRegion(path);
    ok(observeHostMachine().nodes.some(({ number }) => number === node), `node ${node}`);
    deepStrictEqual(more, []);
  } finally {
    memory.close();
    shim.shim_fd_close(fd);
  }
});

Deno.test("observeHostMachine() sees at least a core and a node", () => {
  const { cores, nodes, freeHugepages } = observeHostMachine();
  ok(cores.length > 0);
  ok(nodes.length > 0 && nodes[0].cores !== "");
  for (const [size, free] of freeHugepages) ok(size > 0 && free >= 0);
});
