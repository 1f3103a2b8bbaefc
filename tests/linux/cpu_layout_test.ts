import { deepEqual, doesNotMatch, equal, match, ok } from "node:assert/strict";
import { layoutText } from "../../app/cli/layout_command.ts";
import { adviseCores } from "../../app/linux/core_advice.ts";
import {
  type CpuLayout,
  cpuListText,
  parseCpuList,
  readCpuLayout,
} from "../../app/linux/cpu_layout.ts";

/** A machine to be made up. CPUs are numbered as Linux does: first threads of all cores first. */
interface Machine {
  readonly sockets?: number;
  readonly coresPerSocket?: number;
  readonly threadsPerCore?: number;
  /** L3 caches per socket; 0 if the machine hides its caches. */
  readonly l3PerSocket?: number;
  readonly nodesPerSocket?: number;
  readonly offline?: number[];
  readonly isolated?: string;
  /** CPUs that this process may run on; all unless told. */
  readonly usable?: number[];
}

/** The files below /sys/devices/system of such a machine. */
function filesOf(machine: Machine): Map<string, string> {
  const { sockets = 1, coresPerSocket = 2, threadsPerCore = 1, l3PerSocket = 1 } = machine;
  const { nodesPerSocket = 1, offline = [], isolated = "" } = machine;
  const cores = sockets * coresPerSocket;
  const all = Array.from({ length: cores * threadsPerCore }, (_, cpu) => cpu);
  const online = all.filter((cpu) => !offline.includes(cpu));
  const files = new Map([
    ["cpu/present", `0-${all.length - 1}\n`],
    ["cpu/online", `${cpuListText(online)}\n`],
    ["cpu/isolated", `${isolated}\n`],
    ["cpu/nohz_full", "(null)\n"],
    ["node/online", `0-${sockets * nodesPerSocket - 1}\n`],
  ]);
  const list = (is: (cpu: number) => boolean) => `${cpuListText(online.filter(is))}\n`;
  const coreOf = (cpu: number) => cpu % cores;
  const partOf = (cpu: number, parts: number) => Math.floor(coreOf(cpu) / (coresPerSocket / parts));
  for (const cpu of online) {
    const topology = `cpu/cpu${cpu}/topology`;
    files.set(`${topology}/physical_package_id`, `${partOf(cpu, 1)}\n`);
    files.set(`${topology}/core_id`, `${coreOf(cpu) % coresPerSocket}\n`);
    const siblings = list((other) => coreOf(other) === coreOf(cpu));
    files.set(`${topology}/thread_siblings_list`, siblings);
    if (l3PerSocket === 0) continue;
    const l3 = list((other) => partOf(other, l3PerSocket) === partOf(cpu, l3PerSocket));
    const caches = [["1", "Data", "48K"], ["1", "Instruction", "32K"], ["2", "Unified", "2048K"]];
    for (const [index, [level, type, size]] of [...caches, ["3", "Unified", "32M"]].entries()) {
      const cache = `cpu/cpu${cpu}/cache/index${index}`;
      files.set(`${cache}/level`, `${level}\n`);
      files.set(`${cache}/type`, `${type}\n`);
      files.set(`${cache}/size`, `${size}\n`);
      files.set(`${cache}/shared_cpu_list`, level === "3" ? l3 : siblings);
    }
  }
  for (let node = 0; node < sockets * nodesPerSocket; node++) {
    files.set(`node/node${node}/cpulist`, list((cpu) => partOf(cpu, nodesPerSocket) === node));
    files.set(`node/node${node}/meminfo`, `Node ${node} MemTotal:       16384000 kB\n`);
  }
  return files;
}

function read(files: Map<string, string>, usable?: number[]): CpuLayout {
  const online = parseCpuList(files.get("cpu/online") ?? "");
  return readCpuLayout((path) => files.get(path), usable ?? online);
}

function layoutOf(machine: Machine): CpuLayout {
  return read(filesOf(machine), machine.usable);
}

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

/** 2 sockets, 8 cores each, 2 threads a core, 2 L3 caches a socket. */
const SERVER = { sockets: 2, coresPerSocket: 8, threadsPerCore: 2, l3PerSocket: 2 };

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

/** What is advised: `host guest qemu`, and the reasons. */
function advised(machine: Machine): { cores: string; more: string; reasons: string } {
  const { host, guest, qemu, more, reasons } = adviseCores(layoutOf(machine))!;
  const cores = [host, guest, qemu].map(cpuListText).join(" ");
  return { cores, more: cpuListText(more), reasons: reasons.join("; ") };
}

for (
  const [what, machine, cores, more, reasons] of [
    ["two cores", {}, "0 1 1", "", /^cores 0 and 1 share an L3 cache; core 0 has to be used too/],
    ["four cores", { coresPerSocket: 4 }, "1 2 0", "3", /^cores 1 and 2 share an L3 cache$/],
    ["one core", { coresPerSocket: 1 }, "0 0 0", "", /^there is one core only: /],
    [
      "one core of two threads",
      { coresPerSocket: 1, threadsPerCore: 2 },
      "0 1 1",
      "",
      /^there is one physical core only: /,
    ],
    [
      "a server",
      SERVER,
      "1 2 0",
      "3",
      /^cores 1 and 2 share .*; leave their other threads idle: 17-18; .*--numa-node 0$/,
    ],
    [
      "a server of which we may use one socket",
      { ...SERVER, usable: [12, 13, 14, 15, 28, 29, 30, 31] },
      "12 13 14",
      "14-15",
      /--numa-node 1$/,
    ],
    [
      "a server of which we may use threads of two cores, one with CPU 0",
      { ...SERVER, usable: [0, 16, 2, 18] },
      "0 2 16",
      "",
      /core 0 has to be used too/,
    ],
    [
      "L3 caches of two cores each",
      { coresPerSocket: 4, l3PerSocket: 2 },
      "2 3 0",
      "",
      /^cores 2 and 3 share an L3 cache$/,
    ],
    [
      "an L3 cache for each core",
      { coresPerSocket: 4, l3PerSocket: 4 },
      "1 2 0",
      "",
      /^no L3 cache has two cores for us: frames cross from one to another$/,
    ],
    [
      "a core in each of two sockets",
      { sockets: 2, coresPerSocket: 1 },
      "0 1 1",
      "",
      /^no socket has two cores for us/,
    ],
    [
      "a VM that hides its caches",
      { coresPerSocket: 4, l3PerSocket: 0 },
      "1 2 0",
      "3",
      /^the machine does not tell its L3 caches/,
    ],
    [
      "isolated cores",
      { coresPerSocket: 8, isolated: "4-6", usable: [0, 1, 2, 3, 7] },
      "4 5 0",
      "6",
      /both are isolated .*; this process may not run on 4-5 yet: put taskset -c 4-5 in front$/,
    ],
    [
      "one isolated core",
      { coresPerSocket: 4, isolated: "3" },
      "1 2 0",
      "3",
      /^cores 1 and 2 share an L3 cache$/,
    ],
  ] as [string, Machine, string, string, RegExp][]
) {
  Deno.test(`adviseCores() on ${what} proposes ${cores} for host, guest and QEMU`, () => {
    const found = advised(machine);
    equal(found.cores, cores);
    equal(found.more, more);
    match(found.reasons, reasons);
  });
}

Deno.test("adviseCores() never proposes an offline CPU, nor two threads of one core if there are others", () => {
  for (let offline = 0; offline < 32; offline++) {
    const layout = layoutOf({ ...SERVER, offline: [offline, (offline + 1) % 32] });
    const { host: [host], guest: [guest], qemu } = adviseCores(layout)!;
    const online = layout.cpus.map(({ cpu }) => cpu);
    for (const core of [host, guest, ...qemu]) ok(online.includes(core), `${core}`);
    equal(layout.cpus.find(({ cpu }) => cpu === host)?.threads.includes(guest), false);
  }
});

Deno.test("adviseCores() tells where one core is enough for both: if no third is left", () => {
  match(advised({ coresPerSocket: 2 }).reasons, /-l 0 for host and guest is as fast/);
  for (const coresPerSocket of [1, 3]) {
    doesNotMatch(advised({ coresPerSocket }).reasons, /for host and guest/);
  }
});

Deno.test("adviseCores() has nothing to say where there is no CPU", () => {
  equal(adviseCores(readCpuLayout(() => undefined, [])), undefined);
});

Deno.test("layoutText() draws a server", () => {
  const layout = layoutOf({ ...SERVER, coresPerSocket: 4, offline: [15] });
  equal(
    layoutText(layout, adviseCores(layout)),
    `\
        socket 0, node 0  socket 1, node 1
        ----------------  ----------------
core 0  [0 8]             [4 12]
core 1  [1 9]             [5 13]
core 2  [2 10]            [6 14]
core 3  [3 11]            [7]

L1d 48 KiB  one a core
L1i 32 KiB  one a core
L2 2 MiB    one a core
L3 32 MiB   shared by 0-1,8-9 | 2-3,10-11 | 4-5,12-13 | 6-7,14
usable      0-14
offline     15

node 0  cores 0-3,8-11   15.6 GiB  no hugepages
node 1  cores 4-7,12-14  15.6 GiB  no hugepages

proposal
  culvert host -l 2
  culvert guest -l 3                 as a process
  taskset -c 0,3 culvert qemu --run  a VM, its vCPU's thread best on 3
  - cores 2 and 3 share an L3 cache
  - leave their other threads idle: 10-11
  - keep the region on their node: --numa-node 0`,
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
