/**
 * The machine that VMs are to run on, as far as advice about them needs it.
 *
 * @module
 */

import { CulvertError } from "../../ffi/error.ts";
import { usableCores } from "../linux/core_list.ts";

/** A NUMA node. */
export interface NumaNode {
  /** As in /sys/devices/system/node/nodeN. */
  readonly number: number;
  /** Its cores, as `taskset -c` takes them: `0-7,16-23`; empty if it has memory only. */
  readonly cores: string;
}

/** A mounted hugetlbfs. */
export interface HugetlbMount {
  /** Where it is mounted. */
  readonly folder: string;
  /** The size of its pages. */
  readonly pageKiB: number;
}

/** This machine, as far as advice about VMs needs it. */
export interface HostMachine {
  /** Whether /dev/kvm may be opened. */
  readonly hasKvm: boolean;
  /** Cores that this process may run on, lowest first. */
  readonly cores: readonly number[];
  /** Its NUMA nodes, lowest first; one where there is nothing to choose. */
  readonly nodes: readonly NumaNode[];
  /** Where huge pages are to be had. */
  readonly hugetlbMounts: readonly HugetlbMount[];
  /** Huge pages that are to be had, by their size in KiB. */
  readonly freeHugepages: ReadonlyMap<number, number>;
}

const NODES = "/sys/devices/system/node";
const HUGEPAGES = "/sys/kernel/mm/hugepages";

/** Look at this machine. What it does not tell is left out. */
export function observeHostMachine(): HostMachine {
  return {
    hasKvm: canOpen("/dev/kvm"),
    cores: usableCores(),
    nodes: numbersIn(NODES, /^node(\d+)$/).map((number) => ({
      number,
      cores: read(`${NODES}/node${number}/cpulist`).trim(),
    })),
    hugetlbMounts: parseHugetlbMounts(read("/proc/mounts")),
    freeHugepages: new Map(
      numbersIn(HUGEPAGES, /^hugepages-(\d+)kB$/).map((size) => {
        const count = (name: string) => Number(read(`${HUGEPAGES}/hugepages-${size}kB/${name}`));
        const spare = count("nr_overcommit_hugepages") - count("surplus_hugepages");
        return [size, count("free_hugepages") - count("resv_hugepages") + Math.max(0, spare)];
      }),
    ),
  };
}

/** The hugetlbfs mounts in /proc/mounts. */
export function parseHugetlbMounts(text: string): HugetlbMount[] {
  const unitKiB = { K: 1, M: 1024, G: 1024 ** 2 };
  return text.split("\n").map((line) => line.split(" "))
    .filter(([, , type]) => type === "hugetlbfs")
    .map(([, folder, , options]) => {
      const [, size, unit] = /\bpagesize=(\d+)([KMG])/.exec(options) ?? ["", "2", "M"];
      return { folder, pageKiB: Number(size) * unitKiB[unit as keyof typeof unitKiB] };
    });
}

/**
 * The hugetlbfs that a folder is on.
 *
 * @throws {CulvertError} If it is on none, with how to mount one.
 */
export function hugetlbMountOf(folder: string, machine: HostMachine): HugetlbMount {
  const at = folder.replace(/\/+$/, "");
  const mount = machine.hugetlbMounts
    .filter((mount) => at === mount.folder || at.startsWith(mount.folder + "/"))
    .sort((a, b) => b.folder.length - a.folder.length)[0];
  if (mount) return mount;
  const found = machine.hugetlbMounts.map((mount) => mount.folder).join(", ") || "none";
  throw new CulvertError(
    `Cannot take the guest's memory from ${folder} as it is on no hugetlbfs (this machine has ` +
      `${found}): mount -t hugetlbfs none ${folder}`,
  );
}

/**
 * The NUMA nodes that a region's pages are on, as far as processes have touched them; lowest first.
 *
 * @param path The region's file, or `/proc/PID/fd/N`.
 */
export function nodesOfRegion(path: string): number[] {
  const file = linkOf(path);
  const nodes = numbersIn("/proc", /^(\d+)$/)
    .flatMap((pid) => parseNumaMaps(read(`/proc/${pid}/numa_maps`), file));
  return [...new Set(nodes)].sort((a, b) => a - b);
}

/** The nodes that /proc/PID/numa_maps shows for a file. */
export function parseNumaMaps(text: string, file: string): number[] {
  const word = `file=${file.replaceAll(" ", "\\040")}`;
  return text.split("\n").map((line) => line.split(" ")).filter((words) => words.includes(word))
    .flatMap((words) => words.map((word) => /^N(\d+)=\d+$/.exec(word)?.[1]))
    .filter((node) => node !== undefined).map(Number);
}

/** Where a link points, such as one of /proc/PID/fd: `/memfd:culvert-culvert0 (deleted)`. */
function linkOf(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return path;
  }
}

function canOpen(path: string): boolean {
  try {
    Deno.openSync(path, { read: true, write: true }).close();
    return true;
  } catch {
    return false;
  }
}

/** A small file's text; empty if it is not there, or not to be read. */
function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

/** The numbers in the names of a folder's entries, lowest first. */
function numbersIn(folder: string, name: RegExp): number[] {
  try {
    return [...Deno.readDirSync(folder)].map((entry) => name.exec(entry.name)?.[1])
      .filter((number) => number !== undefined).map(Number).sort((a, b) => a - b);
  } catch {
    return [];
  }
}
