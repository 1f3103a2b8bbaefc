import { deepEqual, equal, match } from "node:assert/strict";
import { layoutText } from "../../app/cli/layout_command.ts";
import { adviseCores } from "../../app/linux/core_advice.ts";
import { cpuListText, parseCpuList } from "../../app/linux/cpu_layout.ts";
import { filesOf, layoutOf, read, SERVER } from "./made_up_machine.ts";

Deno.test("readCpuLayout() reads a VM of two cores", () => {
  const { cpus, offline, nodes } = layoutOf({});
  deepEqual(
    cpus.map(({ caches: _, ...cpu }) => cpu),
    [0, 1].map((cpu) => ({
      cpu,
      socket: 0,
      core: cpu,
      threads: [cpu],
      node: 0,
      isIsolated: false,
      isTickless: false,
      isUsable: true,
    })),
  );
  deepEqual(cpus[1].caches, [
    { level: 1, type: "Data", bytes: 48 << 10, cpus: [1] },
    { level: 1, type: "Instruction", bytes: 32 << 10, cpus: [1] },
    { level: 2, type: "Unified", bytes: 2 << 20, cpus: [1] },
    { level: 3, type: "Unified", bytes: 32 << 20, cpus: [0, 1] },
  ]);
  deepEqual(offline, []);
  deepEqual(nodes, [{ node: 0, cpus: [0, 1], memoryBytes: 16384000 * 1024, hugepages: [] }]);
});

Deno.test("readCpuLayout() reads a server of two sockets, two threads a core, two L3 a socket", () => {
  const { cpus, nodes } = layoutOf(SERVER);
  equal(cpus.length, 32);
  const { socket, core, threads, node, caches } = cpus[29];
  deepEqual({ socket, core, threads, node }, { socket: 1, core: 5, threads: [13, 29], node: 1 });
  deepEqual(caches[3].cpus, [12, 13, 14, 15, 28, 29, 30, 31]);
  deepEqual(nodes.map((node) => cpuListText(node.cpus)), ["0-7,16-23", "8-15,24-31"]);
});

Deno.test("readCpuLayout() leaves out CPUs that are offline, and names them", () => {
  const { cpus, offline } = layoutOf({ ...SERVER, offline: [1, 17, 20] });
  deepEqual(offline, [1, 17, 20]);
  equal(cpus.length, 29);
  deepEqual(cpus.find(({ cpu }) => cpu === 4)?.threads, [4]);
});

Deno.test("readCpuLayout() does without caches, nodes and topology", () => {
  const { cpus, nodes } = read(new Map([["cpu/online", "0-1\n"]]));
  deepEqual(nodes, []);
  deepEqual(
    cpus.map(({ socket, core, threads, node, caches }) => ({
      socket,
      core,
      threads,
      node,
      caches,
    })),
    [
      { socket: 0, core: 0, threads: [0], node: null, caches: [] },
      { socket: 0, core: 1, threads: [1], node: null, caches: [] },
    ],
  );
});

Deno.test("readCpuLayout() reads a node that has memory and hugepages but no CPU", () => {
  const files = filesOf({});
  files.set("node/online", "0-1\n");
  files.set("node/node1/cpulist", "\n");
  files.set("node/node1/meminfo", "Node 1 MemTotal:       1024 kB\nNode 1 MemFree: 1 kB\n");
  files.set("node/node1/hugepages/hugepages-2048kB/nr_hugepages", "8\n");
  files.set("node/node1/hugepages/hugepages-2048kB/free_hugepages", "3\n");
  const layout = read(files);
  deepEqual(layout.nodes[1], {
    node: 1,
    cpus: [],
    memoryBytes: 1 << 20,
    hugepages: [{ bytes: 2 << 20, total: 8, free: 3 }],
  });
  deepEqual(layout.cpus.map(({ node }) => node), [0, 0]);
  match(
    layoutText(layout, adviseCores(layout)),
    /^node 1 +no cores +1 MiB +3 of 8 hugepages of 2 M/m,
  );
});

for (
  const [text, cpus] of [
    ["", []],
    ["\n", []],
    ["(null)\n", []],
    ["0\n", [0]],
    ["0-3,8,10-11\n", [0, 1, 2, 3, 8, 10, 11]],
  ] as [string, number[]][]
) {
  Deno.test(`parseCpuList() reads ${JSON.stringify(text)}`, () =>
    deepEqual(parseCpuList(text), cpus));
}

Deno.test("cpuListText() is what parseCpuList() reads", () => {
  for (const cpus of [[], [0], [0, 1], [3, 1, 2, 9], [5, 7]]) {
    deepEqual(parseCpuList(cpuListText(cpus)), [...cpus].sort((a, b) => a - b));
  }
  equal(cpuListText([3, 1, 2, 9]), "1-3,9");
});
