/**
 * Sockets, cores, threads, NUMA nodes and caches of this machine, as sysfs tells (DPDK
 * `usertools/cpu_layout.py` shows the first three).
 *
 * @module
 */

/** A cache of a CPU. */
export interface CpuCache {
  /** 1 is the nearest. */
  readonly level: number;
  /** What it holds: L1d and L1i differ. */
  readonly type: "Data" | "Instruction" | "Unified";
  /** Bytes; 0 if sysfs does not say. */
  readonly bytes: number;
  /** The CPUs that share it, lowest first. */
  readonly cpus: readonly number[];
}

/** A logical CPU that is online: `-l` calls it a core; with SMT it is one thread of a core. */
export interface Cpu {
  /** Its number, as `-l` has it. */
  readonly cpu: number;
  /** Its package. */
  readonly socket: number;
  /** Its core's number within the socket; not always unique there, see {@linkcode threads}. */
  readonly core: number;
  /** The CPUs that are threads of its core, itself included, lowest first. */
  readonly threads: readonly number[];
  /** Its NUMA node; null where the kernel knows none. */
  readonly node: number | null;
  /** Its caches; none where a VM hides them. */
  readonly caches: readonly CpuCache[];
  /** Whether the scheduler leaves it alone (isolcpus). */
  readonly isIsolated: boolean;
  /** Whether it runs without a timer tick while one task is on it (nohz_full). */
  readonly isTickless: boolean;
  /** Whether this process may run on it. */
  readonly isUsable: boolean;
}

/** A NUMA node. */
export interface NumaNode {
  /** Its number. */
  readonly node: number;
  /** Its CPUs, online ones; none if it is memory alone. */
  readonly cpus: readonly number[];
  /** Bytes of memory. */
  readonly memoryBytes: number;
  /** Its hugepages by size. */
  readonly hugepages: readonly { bytes: number; total: number; free: number }[];
}

/** All that {@linkcode readCpuLayout} finds. */
export interface CpuLayout {
  /** CPUs that are online, lowest first. */
  readonly cpus: readonly Cpu[];
  /** CPUs that are there but offline. */
  readonly offline: readonly number[];
  /** NUMA nodes, lowest first; none where the kernel knows none. */
  readonly nodes: readonly NumaNode[];
}

/** Reads a file below /sys/devices/system; undefined if there is none. */
export type ReadSystemFile = (path: string) => string | undefined;

/** Hugepages of x86-64, and of arm64 with 4 KiB pages. */
const HUGEPAGES_KIB = [2048, 1048576];

/** More indexes than any CPU has caches. */
const CACHES_MAX = 16;

/**
 * Read the layout.
 *
 * @param read Is asked for paths such as `cpu/cpu0/topology/core_id`.
 * @param usable The CPUs that this process may run on.
 */
export function readCpuLayout(read: ReadSystemFile, usable: readonly number[]): CpuLayout {
  const list = (path: string) => parseCpuList(read(path) ?? "");
  const online = list("cpu/online");
  const nodes = list("node/online").map((node) => readNode(read, node));
  const [isolated, tickless] = [list("cpu/isolated"), list("cpu/nohz_full")];
  const cpus = online.map((cpu): Cpu => {
    const topology = `cpu/cpu${cpu}/topology`;
    // The second name is the newer one.
    const threads = [list(`${topology}/thread_siblings_list`), list(`${topology}/core_cpus_list`)];
    return {
      cpu,
      socket: numberIn(read(`${topology}/physical_package_id`)) ?? 0,
      core: numberIn(read(`${topology}/core_id`)) ?? cpu,
      threads: threads.find((found) => found.includes(cpu)) ?? [cpu],
      node: nodes.find((node) => node.cpus.includes(cpu))?.node ?? null,
      caches: readCaches(read, cpu),
      isIsolated: isolated.includes(cpu),
      isTickless: tickless.includes(cpu),
      isUsable: usable.includes(cpu),
    };
  });
  const offline = list("cpu/present").filter((cpu) => !online.includes(cpu));
  return { cpus, offline, nodes };
}

function readCaches(read: ReadSystemFile, cpu: number): CpuCache[] {
  const caches: CpuCache[] = [];
  for (let index = 0; index < CACHES_MAX; index++) {
    const field = (name: string) => read(`cpu/cpu${cpu}/cache/index${index}/${name}`)?.trim();
    const level = numberIn(field("level"));
    const type = field("type");
    if (level === undefined) break;
    if (type !== "Data" && type !== "Instruction" && type !== "Unified") continue;
    const cpus = parseCpuList(field("shared_cpu_list") ?? "");
    const bytes = (numberIn(field("size")) ?? 0) * (field("size")?.endsWith("M") ? 1 << 20 : 1024);
    caches.push({ level, type, bytes, cpus: cpus.includes(cpu) ? cpus : [cpu] });
  }
  return caches;
}

function readNode(read: ReadSystemFile, node: number): NumaNode {
  const folder = `node/node${node}`;
  const memory = /MemTotal:\s*(\d+) kB/.exec(read(`${folder}/meminfo`) ?? "");
  const hugepages = HUGEPAGES_KIB.map((kib) => {
    const count = (name: string) =>
      numberIn(read(`${folder}/hugepages/hugepages-${kib}kB/${name}`));
    return {
      bytes: kib * 1024,
      total: count("nr_hugepages") ?? 0,
      free: count("free_hugepages") ?? 0,
    };
  });
  return {
    node,
    cpus: parseCpuList(read(`${folder}/cpulist`) ?? ""),
    memoryBytes: Number(memory?.[1] ?? 0) * 1024,
    hugepages: hugepages.filter(({ total }) => total > 0),
  };
}

function numberIn(text: string | undefined): number | undefined {
  const match = /^-?\d+/.exec(text?.trim() ?? "");
  return match ? Number(match[0]) : undefined;
}

/** Read a list as the kernel prints it: `0-3,8`, empty, or `(null)`. */
export function parseCpuList(text: string): number[] {
  return text.trim().split(",").flatMap((part) => {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (!match) return [];
    const first = Number(match[1]);
    return Array.from({ length: Number(match[2] ?? first) - first + 1 }, (_, i) => first + i);
  });
}

/** A list as the kernel prints it, and `-l` takes it: `0-3,8`. */
export function cpuListText(cpus: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const cpu of [...cpus].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last && last[1] === cpu - 1) last[1] = cpu;
    else runs.push([cpu, cpu]);
  }
  return runs.map(([first, last]) => first === last ? `${first}` : `${first}-${last}`).join(",");
}
