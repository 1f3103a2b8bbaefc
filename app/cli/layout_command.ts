import { ShimError } from "../../ffi/error.ts";
import { alignColumns, bytesText } from "../inspect/table.ts";
import { adviseCores, type CoreAdvice } from "../linux/core_advice.ts";
import { usableCores } from "../linux/core_list.ts";
import { type Cpu, type CpuLayout, cpuListText, readCpuLayout } from "../linux/cpu_layout.ts";
import { readKernelFile } from "../linux/kernel_file.ts";
import type { Parsed } from "./options.ts";
import type { LAYOUT } from "./tables/layout.ts";

/** `culvert layout`: returns the exit status. */
export function layoutCommand({ values }: Parsed<typeof LAYOUT>): number {
  const layout = readCpuLayout(readSystemFile, usableCores());
  const advice = adviseCores(layout);
  console.log(
    values.json
      ? JSON.stringify({ ...layout, advice: advice ?? null }, undefined, 2)
      : layoutText(layout, advice),
  );
  return 0;
}

function readSystemFile(path: string): string | undefined {
  try {
    return readKernelFile(`/sys/devices/system/${path}`);
  } catch (error) {
    if (error instanceof ShimError) return undefined;
    throw error;
  }
}

/** A layout and what follows from it, for people. */
export function layoutText(layout: CpuLayout, advice: CoreAdvice | undefined): string {
  return [
    ...coreTable(layout.cpus),
    "",
    ...alignColumns([...cacheRows(layout.cpus), ...cpuRows(layout)], ["left", "left"]),
    "",
    ...nodeLines(layout),
    ...advice ? adviceLines(advice) : [],
  ].join("\n");
}

/** A row for each core number, a column for each socket and node in it. */
function coreTable(cpus: readonly Cpu[]): string[] {
  const columnOf = ({ socket, node }: Cpu) =>
    node === null ? `socket ${socket}` : `socket ${socket}, node ${node}`;
  const columns = [...new Set(cpus.map(columnOf))];
  const numbers = [...new Set(cpus.map(({ core }) => core))].sort((a, b) => a - b);
  const cell = (core: number, column: string) => {
    const here = cpus.filter((cpu) => cpu.core === core && columnOf(cpu) === column);
    const cores = new Set(here.map(({ cpu, threads }) => {
      const online = threads.filter((thread) => cpus.some((other) => other.cpu === thread));
      return (online.length > 0 ? online : [cpu]).join(" ");
    }));
    return [...cores].map((threads) => `[${threads}]`).join(" ");
  };
  return alignColumns([
    ["", ...columns],
    ["", ...columns.map((column) => "-".repeat(column.length))],
    ...numbers.map((core) => [`core ${core}`, ...columns.map((column) => cell(core, column))]),
  ], ["left", ...columns.map(() => "left" as const)]);
}

/** A row for each kind of cache that is the same everywhere, but for the cores that share it. */
function cacheRows(cpus: readonly Cpu[]): string[][] {
  const suffix = { Data: "d", Instruction: "i", Unified: "" };
  const sharers = new Map<string, Set<string>>();
  for (const { level, type, bytes, cpus: shared } of cpus.flatMap(({ caches }) => caches)) {
    const name = `L${level}${suffix[type]} ${bytes > 0 ? bytesText(bytes) : "of unknown size"}`;
    sharers.set(name, (sharers.get(name) ?? new Set()).add(cpuListText(shared)));
  }
  if (sharers.size === 0) return [["caches", "the machine does not tell"]];
  const cores = new Set(cpus.map(({ threads }) => cpuListText(threads)));
  return [...sharers].map(([name, shared]) => {
    const isPerCore = [...shared].every((list) => cores.has(list));
    return [name, isPerCore ? "one a core" : `shared by ${[...shared].join(" | ")}`];
  });
}

function cpuRows({ cpus, offline }: CpuLayout): string[][] {
  const those = (is: (cpu: Cpu) => boolean) => cpuListText(cpus.filter(is).map(({ cpu }) => cpu));
  const optional = [
    ["isolated", those(({ isIsolated }) => isIsolated)],
    ["tickless", those(({ isTickless }) => isTickless)],
    ["offline", cpuListText(offline)],
  ];
  return [
    ["usable", those(({ isUsable }) => isUsable) || "none"],
    ...optional.filter(([, list]) => list !== ""),
  ];
}

function nodeLines({ nodes }: CpuLayout): string[] {
  const rows = nodes.map(({ node, cpus, memoryBytes, hugepages }) => [
    `node ${node}`,
    cpus.length > 0 ? `cores ${cpuListText(cpus)}` : "no cores",
    bytesText(memoryBytes),
    hugepages.length === 0
      ? "no hugepages"
      : hugepages.map(({ bytes, total, free }) =>
        `${free} of ${total} hugepages of ${bytesText(bytes)} free`
      ).join(", "),
  ]);
  return rows.length === 0 ? [] : [...alignColumns(rows, ["left", "left", "right", "left"]), ""];
}

function adviceLines({ host, guest, qemu, more, reasons }: CoreAdvice): string[] {
  const [hostList, guestList] = [host, guest].map(cpuListText);
  const qemuList = cpuListText([...new Set([...guest, ...qemu])]);
  const rows = [
    [`culvert host -l ${hostList}`, ""],
    [`culvert guest -l ${guestList}`, "as a process"],
    [`taskset -c ${qemuList} culvert qemu --run`, `a VM, its vCPU's thread best on ${guestList}`],
  ];
  return [
    "proposal",
    ...alignColumns(rows, ["left", "left"]).map((line) => `  ${line}`),
    ...more.length > 0 ? [`  for more lcores in the same place: ${cpuListText(more)}`] : [],
    ...reasons.map((reason) => `  - ${reason}`),
  ];
}
