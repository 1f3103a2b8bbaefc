import { dirname } from "node:path";
import { check, CulvertError, FILE_ADVICE, kernelError } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { chooseIvshmem } from "../region/choose_ivshmem.ts";
import { fileBytes } from "../linux/files.ts";
import { isPath } from "../memory/region_name.ts";
import { listeningServers } from "../region/listening_servers.ts";
import { INSPECT_MIN_BYTES } from "./decode.ts";

/** How `shim_file_open()` opens for reading: no link; with links followed, such as in /proc. */
export const READ_ONLY = 0, READ_ONLY_LINKED = 3;

const PAGE_BYTES = 4096;

/** Most bytes that can be mapped at once; a region has no more. */
const MAP_MAX_BYTES = 2 ** 32;

/** A region that is mapped for reading alone: a store into it would end the process. */
export interface FoundRegion {
  /** Its memory: whole pages of it. */
  readonly memory: MappedMemory;
  /** Where it was found: a path. */
  readonly source: string;
}

/**
 * Find a region on this machine without its server or host learning of it.
 *
 * A name is looked for among the descriptors of all processes (a memfd has no other name), which
 * takes root and Deno's `-A`; a path may also be a link such as `/proc/4711/fd/5`.
 *
 * @throws {CulvertError} if there is none, or several of that name.
 */
export function findRegion(region: string): FoundRegion {
  const path = isPath(region) ? region : memfdPath(region);
  checkIsFile(path);
  const fd = check(
    shim.shim_file_open(cString(path), READ_ONLY_LINKED),
    `open region ${path}`,
    FILE_ADVICE,
  );
  try {
    return { memory: mapReadOnly(fd, fileBytes(fd, path), path), source: path };
  } finally {
    shim.shim_fd_close(fd);
  }
}

/**
 * Find a region in a VM: the memory of an ivshmem device.
 *
 * @param address A PCI address; or `auto` for the one that has a region, if there are several.
 * @throws {CulvertError} if there is none.
 */
export function findPciRegion(address: string): FoundRegion {
  const device = chooseIvshmem(address);
  if (!device) {
    throw new CulvertError(
      `Cannot inspect PCI device ${address} as this machine has no ivshmem device (1af4:1110) ` +
        `there: in a VM started with -device ivshmem-plain there is one; elsewhere name the region`,
    );
  }
  const path = `/sys/bus/pci/devices/${device.address}/resource2`;
  const fd = check(shim.shim_file_open(cString(path), READ_ONLY), `open ${path}`, FILE_ADVICE);
  try {
    return { memory: mapReadOnly(fd, device.bytes, path), source: path };
  } finally {
    shim.shim_fd_close(fd);
  }
}

/** Map a region for reading alone, from a descriptor that was opened for reading. */
export function mapReadOnly(fd: number, bytes: number, path: string): MappedMemory {
  if (bytes < INSPECT_MIN_BYTES) {
    throw new CulvertError(
      `Cannot inspect ${path} as it has ${bytes} bytes: a region's header alone has ` +
        `${INSPECT_MIN_BYTES}; if its host has just begun, try again`,
    );
  }
  const mapped = Math.min(bytes - bytes % PAGE_BYTES, MAP_MAX_BYTES);
  return MappedMemory.ofFile(fd, mapped, `region ${path}`);
}

/** Check a path before it is opened: a device may act on being opened, and a FIFO may block. */
function checkIsFile(path: string): void {
  let found: Deno.FileInfo;
  try {
    found = Deno.statSync(path);
  } catch (error) {
    throw kernelError(error, `inspect ${path}`);
  }
  if (found.isFile) return;
  throw new CulvertError(
    found.isSocket
      ? `Cannot inspect ${path} as it is a server's socket, and all peers would see us join: ` +
        `name the region, or its memory: /proc/PID/fd/N`
      : `Cannot inspect ${path} as it is no file: name a region's memory`,
  );
}

/** What the descriptor of a memfd that a server made points to. */
const MEMFD = /^\/memfd:culvert-(.*) \(deleted\)$/;

/** A memfd that some process has open. */
interface OpenMemfd {
  readonly region: string;
  readonly path: string;
  /** Device and inode: the same for all descriptors of one memory. */
  readonly identity: string;
}

function memfdPath(region: string): string {
  const all = openMemfds();
  const found = all.filter((memfd) => memfd.region === region);
  if (found.length === 0) {
    const others = [...new Set(all.map((memfd) => memfd.region))].join(", ") || "none";
    throw new CulvertError(
      `Cannot find region ${region} as no process that we may look into has it: there are ${others}; ` +
        `run as root, or name a path (/dev/shm/NAME of a server's -M, /proc/PID/fd/N of its -m)`,
    );
  }
  const memories = new Map(found.map((memfd) => [memfd.identity, memfd.path]));
  if (memories.size === 1) return found[0].path;
  const served = servedMemory(region, found);
  if (served !== undefined) return served;
  throw new CulvertError(
    `Cannot tell which region ${region} is meant as there are ${memories.size} of that name: use ` +
      [...memories.values()].join(" or "),
  );
}

/**
 * Of several memories of one name the one that the region's server has open, as the process with
 * the region's socket: a VM may still have an older one.
 */
function servedMemory(region: string, found: readonly OpenMemfd[]): string | undefined {
  const sockets = listeningServers().filter((server) => server.region === region)
    .map(({ inode }) => `socket:[${inode}]`);
  return found.find(({ path }) => {
    const folder = dirname(path);
    return orNone(() => [...Deno.readDirSync(folder)]).some(({ name }) =>
      orNone(() => [Deno.readLinkSync(`${folder}/${name}`)]).some((link) => sockets.includes(link))
    );
  })?.path;
}

/** The regions' memfds that processes have open, as far as we may see. */
function openMemfds(): OpenMemfd[] {
  const pids = [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter(Boolean);
  return pids.sort((a, b) => a - b).flatMap((pid) => {
    const folder = `/proc/${pid}/fd`;
    return orNone(() => [...Deno.readDirSync(folder)]).flatMap(({ name }) =>
      orNone(() => {
        const path = `${folder}/${name}`;
        const match = MEMFD.exec(Deno.readLinkSync(path));
        if (!match) return [];
        const { dev, ino } = Deno.statSync(path);
        return [{ region: match[1], path, identity: `${dev}:${ino}` }];
      })
    );
  });
}

/** Processes end and close files while we look at them, and not all of them are ours to look at. */
function orNone<T>(look: () => T[]): T[] {
  try {
    return look();
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable || !(error instanceof Error)) throw error;
    return [];
  }
}
