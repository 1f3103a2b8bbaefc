import { doesNotMatch, equal, match, ok } from "node:assert/strict";
import { layoutText } from "../../app/cli/layout_command.ts";
import { adviseCores } from "../../app/linux/core_advice.ts";
import { cpuListText, readCpuLayout } from "../../app/linux/cpu_layout.ts";
import { layoutOf, type Machine, SERVER } from "./made_up_machine.ts";

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
