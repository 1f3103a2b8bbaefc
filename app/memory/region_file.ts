import { check, CulvertError, ShimError } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { HEADER } from "./layout.ts";
import { checkRegionBytes } from "./region.ts";
import { isPath, socketPath } from "./region_name.ts";

const READ_WRITE = 1;
const EAGAIN = 11, ECONNRESET = 104;

/**
 * The size of an open file in bytes.
 *
 * @throws {ShimError} if it cannot be told.
 */
export function fileBytes(fd: number, path: string): number {
  const bytes = Number(shim.shim_file_size(fd));
  return check(Math.min(bytes, 0), `tell the size of ${path}`) + bytes;
}

/**
 * Map the memory of a region that a host on this machine keeps.
 *
 * @returns undefined if there is no such region yet.
 * @throws {CulvertError} if it may not be opened, or is no region by its size.
 */
export function openRegionMemory(region: string): MappedMemory | undefined {
  const fd = isPath(region) ? openFile(region) : receiveMemfd(region);
  if (fd === undefined) return undefined;
  try {
    const bytes = fileBytes(fd, region);
    if (bytes === 0) return undefined; // its host has just created it
    checkRegionBytes(bytes, region);
    return MappedMemory.ofFile(fd, bytes, `region ${region}`);
  } finally {
    shim.shim_fd_close(fd);
  }
}

function openFile(path: string): number | undefined {
  const fd = shim.shim_file_open(cString(path), READ_WRITE);
  return fd < 0 && new ShimError("", -fd).code === "ENOENT"
    ? undefined
    : check(fd, `open region ${path}`);
}

/** The region's descriptor from its host's socket, as QEMU would get it. */
export function receiveMemfd(name: string): number | undefined {
  const path = socketPath(name);
  const socket = shim.shim_unix_connect(cString(path), 2000);
  if (socket < 0) {
    const { code } = new ShimError("", -socket);
    if (code === "ENOENT" || code === "ECONNREFUSED") return undefined;
    check(socket, `connect to ${path}`);
  }
  const value = new BigInt64Array(1);
  const passed = new Int32Array(1);
  try {
    for (let message = 0; message < 3; message++) {
      const received = shim.shim_unix_receive(socket, value, passed, 1);
      if (received === -ECONNRESET || received === -EAGAIN) return undefined; // it stops, or is busy
      check(received, `receive region ${name} at ${path}`);
      if (message === 0 && value[0] !== 0n) {
        throw new CulvertError(
          `Cannot use ${path} as it speaks protocol version ${value[0]}: 0 is wanted`,
        );
      }
      if (value[0] === -1n && passed[0] >= 0) return passed[0];
    }
  } finally {
    shim.shim_fd_close(socket);
  }
  throw new CulvertError(`Cannot use ${path} as it handed out no memory: is it a Culvert host?`);
}

/**
 * Where QEMU finds a region that a host on this machine keeps, and its size in bytes.
 *
 * @throws {CulvertError} if there is none.
 */
export function locateRegion(region: string): { path: string; bytes: number } {
  const fd = isPath(region) ? openFile(region) : receiveMemfd(region);
  if (fd === undefined) {
    throw new CulvertError(
      `Cannot find region ${region} as no host keeps it: start \`culvert host\` first`,
    );
  }
  try {
    const bytes = fileBytes(fd, region);
    return { path: isPath(region) ? region : memfdPath(fd, bytes, region), bytes };
  } finally {
    shim.shim_fd_close(fd);
  }
}

/** Where the host has its memfd. A guest can write that too, so it is held against the memfd itself. */
function memfdPath(fd: number, bytes: number, region: string): string {
  const memory = MappedMemory.ofFile(fd, bytes, `region ${region}`);
  const path = `/proc/${memory.u32[HEADER.HOST_PID]}/fd/${memory.u32[HEADER.HOST_FD]}`;
  memory.close();
  const [ours, theirs] = [`/proc/self/fd/${fd}`, path].map((name) => Deno.statSync(name));
  if (ours.dev === theirs.dev && ours.ino === theirs.ino) return path;
  throw new CulvertError(
    `Cannot use region ${region} as its header says ${path}, which is another file: do not trust ` +
      `its guest, start the host again`,
  );
}
