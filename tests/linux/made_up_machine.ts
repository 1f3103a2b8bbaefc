import {
  type CpuLayout,
  cpuListText,
  parseCpuList,
  readCpuLayout,
} from "../../app/linux/cpu_layout.ts";

/** A machine to be made up. CPUs are numbered as Linux does: first threads of all cores first. */
export interface Machine {
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
export function filesOf(machine: Machine): Map<string, string> {
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

export function read(files: Map<string, string>, usable?: number[]): CpuLayout {
  const online = parseCpuList(files.get("cpu/online") ?? "");
  return readCpuLayout((path) => files.get(path), usable ?? online);
}

export function layoutOf(machine: Machine): CpuLayout {
  return read(filesOf(machine), machine.usable);
}

/** 2 sockets, 8 cores each, 2 threads a core, 2 L3 caches a socket. */
export const SERVER = { sockets: 2, coresPerSocket: 8, threadsPerCore: 2, l3PerSocket: 2 };
