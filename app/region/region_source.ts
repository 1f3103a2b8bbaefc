import { check, CulvertError, FILE_ADVICE, kernelError, ShimError } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { checkRegionBytes } from "../memory/region_size.ts";
import { isPath, socketPath } from "../memory/region_name.ts";
import { fileBytes } from "../linux/files.ts";
import { Peer } from "../ivshmem/peer.ts";
import { regionNames } from "./listening_servers.ts";

const READ_WRITE = 1;

/** A region that a host on this machine has, as its guest sees it. */
export interface OpenedRegion {
  /** All of it, mapped. */
  readonly memory: MappedMemory;
  /** Our connection to its server, if it has one. */
  readonly peer?: Peer;
  /** Unmap and leave: no lcore may be using it any more. */
  close(): void;
}

/** Where QEMU finds a region. */
export interface RegionPlace {
  /** What `mem-path` must be. */
  readonly path: string;
  /** Its size. */
  readonly bytes: number;
  /** Its server's socket, if it has one. */
  readonly socket?: string;
  /** Interrupt vectors that the server gives each peer; 0 without a server. */
  readonly vectors: number;
}

/**
 * Open a region by the NAME or socket PATH of its server, or by the PATH of its file.
 *
 * @returns undefined if there is none yet.
 * @throws {CulvertError} if it may not be opened, or is no region by its size.
 */
export function openRegion(region: string): OpenedRegion | undefined {
  const peer = Peer.connect(isPath(region) ? region : socketPath(region));
  if (peer) return openServed(region, peer);
  return isPath(region) ? openFile(region) : undefined;
}

function openServed(region: string, peer: Peer): OpenedRegion {
  try {
    checkRegionBytes(peer.bytes, region);
    const memory = MappedMemory.ofFile(peer.memoryFd, peer.bytes, `region ${region}`);
    return {
      memory,
      peer,
      close() {
        memory.close();
        peer.close();
      },
    };
  } catch (error) {
    peer.close();
    throw error;
  }
}

function openFile(path: string): OpenedRegion | undefined {
  const fd = openIfThere(path);
  if (fd === undefined) return undefined;
  try {
    const bytes = fileBytes(fd, path);
    if (bytes === 0) return undefined; // its host has just created it
    checkRegionBytes(bytes, path);
    const memory = MappedMemory.ofFile(fd, bytes, `region ${path}`);
    return { memory, close: () => memory.close() };
  } finally {
    shim.shim_fd_close(fd);
  }
}

/** A file's descriptor; undefined if there is none, or a socket where nobody listens (ENXIO). */
function openIfThere(path: string): number | undefined {
  const fd = shim.shim_file_open(cString(path), READ_WRITE);
  if (fd < 0 && ["ENOENT", "ENXIO"].includes(new ShimError("", -fd).code)) return undefined;
  return check(fd, `open region ${path}`, FILE_ADVICE);
}

/**
 * Where QEMU finds a region that is on this machine. Reads /proc, hence needs `-A`.
 *
 * @throws {CulvertError} if there is none, or its memory cannot be found at its server.
 */
export function locateRegion(region: string): RegionPlace {
  const socket = isPath(region) ? region : socketPath(region);
  const peer = Peer.connect(socket);
  if (peer) {
    try {
      const path = descriptorAt(peer.server.pid, peer.memoryFd, region);
      return { path, bytes: peer.bytes, socket, vectors: peer.vectors.length };
    } finally {
      peer.close();
    }
  }
  const fd = isPath(region) ? openIfThere(region) : undefined;
  if (fd === undefined) {
    throw new CulvertError(
      `Cannot find region ${region} as no server or file is there: start \`culvert host\` first, ` +
        `or name another; there are ${regionNames()}`,
    );
  }
  try {
    return { path: region, bytes: fileBytes(fd, region), vectors: 0 };
  } finally {
    shim.shim_fd_close(fd);
  }
}

/** The path of another process's descriptor of the file that is open here as `fd`. */
function descriptorAt(pid: number, fd: number, region: string): string {
  const ours = Deno.statSync(`/proc/self/fd/${fd}`);
  const folder = `/proc/${pid}/fd`;
  try {
    for (const { name } of Deno.readDirSync(folder)) {
      const theirs = statIfThere(`${folder}/${name}`);
      if (theirs?.dev === ours.dev && theirs.ino === ours.ino) return `${folder}/${name}`;
    }
  } catch (error) {
    const where = "run as the user of its server, or as root, in the same PID namespace";
    throw kernelError(error, `look for region ${region} in ${folder}`, where);
  }
  throw new CulvertError(
    `Cannot find region ${region} in ${folder} as its server has closed it: let QEMU get it from ` +
      `the server (ivshmem-doorbell)`,
  );
}

function statIfThere(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
