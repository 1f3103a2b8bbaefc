import { basename } from "node:path";
import { check, CulvertError, FILE_ADVICE, ShimError } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { type AreaPort, CaptureArea, type HostedCapture } from "../capture/capture_area.ts";
import { fileBytes, once } from "../linux/files.ts";
import {
  type Account,
  giveFile,
  isSameFile,
  ownerFor,
  statusOf,
  statusOfFile,
} from "../linux/owner.ts";
import { isPath, SOCKET_FOLDER } from "../memory/region_name.ts";
import { hostLockPath } from "./host_lock.ts";
import { regionNames } from "./listening_servers.ts";

const READ_WRITE = 1, CREATE = 2;

const SUFFIX = ".capture";

/** What forbids a host to make the file: it goes on, and nobody can capture. */
const NOT_HERE = ["EACCES", "ENOENT", "EPERM", "EROFS"];

/** The end of a file beyond which the shim cannot write. */
const BYTES_MAX = 2 ** 32;

/** The file with the capture area of a region's host. */
export function capturePath(region: string): string {
  const lock = hostLockPath(region);
  const name = isPath(region)
    ? lock === undefined ? encodeURIComponent(region) : basename(lock, ".lock")
    : region;
  return `${SOCKET_FOLDER}/${name}${SUFFIX}`;
}

/** The region of a file in the folder of these; undefined if it is another file. */
export function capturedRegion(file: string): string | undefined {
  return file.endsWith(SUFFIX) ? decodeURIComponent(file.slice(0, -SUFFIX.length)) : undefined;
}

/**
 * Make a region's capture area: a file of the host's user alone, whatever group may use the region,
 * since what is captured is every guest's. Memory for rings is got by those who capture.
 *
 * @param lcores The host's.
 * @param account The host's.
 * @returns undefined where we may not make it.
 * @throws {CulvertError} if there is no such user, or no memory.
 */
export function makeCaptureArea(
  region: string,
  lcores: number,
  ports: readonly AreaPort[],
  { user }: Account,
): HostedCapture | undefined {
  const path = capturePath(region);
  const bytes = CaptureArea.bytesFor(lcores, ports);
  if (bytes > BYTES_MAX) return undefined;
  shim.shim_path_remove(cString(path)); // what a host that was killed has left: captures see it go
  const fd = shim.shim_file_open(cString(path), CREATE);
  if (fd < 0 && NOT_HERE.includes(new ShimError("", -fd).code)) return undefined;
  check(fd, `make ${path}`, FILE_ADVICE);
  try {
    if (user !== undefined) giveFile(fd, ownerFor({ user }), path);
    check(shim.shim_file_write(fd, Uint8Array.of(0), 1, bytes - 1), `make ${path} longer`);
    const status = statusOfFile(fd, path);
    const memory = MappedMemory.ofFile(fd, bytes, path);
    const area = CaptureArea.create(memory, lcores, ports, Deno.pid);
    return {
      area,
      close: once(() => {
        area.close();
        memory.close();
        if (isSameFile(status, statusOf(path))) shim.shim_path_remove(cString(path));
      }),
    };
  } finally {
    shim.shim_fd_close(fd);
  }
}

/** The capture area of a host that runs. */
export interface OpenedCapture {
  /** It, mapped. */
  readonly area: CaptureArea;
  /** Whether its host still uses it. */
  isThere(): boolean;
  /** Get memory for a part of it, from a byte on. */
  reserve(byte: number, bytes: number): void;
  /** Unmap it. */
  close(): void;
}

/**
 * Open the capture area of a region's host.
 *
 * @throws {CulvertError} if there is none, or it is not ours to open.
 */
export function openCaptureArea(region: string): OpenedCapture {
  const path = capturePath(region);
  const opened = shim.shim_file_open(cString(path), READ_WRITE);
  if (opened < 0 && new ShimError("", -opened).code === "ENOENT") {
    throw new CulvertError(
      `Cannot capture at region ${region} as no host that runs has made ${path}: name another ` +
        `by --region; there are ${regionNames()}`,
    );
  }
  const fd = check(opened, `open ${path}`, {
    ...FILE_ADVICE,
    EACCES: "be the host's user, or root: who captures sees the frames of all guests",
  });
  try {
    const status = statusOfFile(fd, path);
    const memory = MappedMemory.ofFile(fd, fileBytes(fd, path), path);
    const area = new CaptureArea(memory, path);
    const isOurPid = isProcess(area.pid); // it is not, in another PID namespace
    return {
      area,
      isThere: () =>
        !area.isClosed && isSameFile(status, statusOf(path)) &&
        (!isOurPid || isProcess(area.pid)),
      reserve: (byte, bytes) => fill(fd, path, byte, bytes),
      close() {
        memory.close();
        shim.shim_fd_close(fd);
      },
    };
  } catch (error) {
    shim.shim_fd_close(fd);
    throw error;
  }
}

/** Whether there is a process of this number. */
export function isProcess(pid: number): boolean {
  return statusOf(`/proc/${pid}`) !== undefined;
}

/** Write zeros: what a file system is full for is told now, and no signal to the host later. */
function fill(fd: number, path: string, byte: number, bytes: number): void {
  const zeros = new Uint8Array(1 << 20);
  for (let at = byte; at < byte + bytes;) {
    const count = Math.min(zeros.length, byte + bytes - at);
    const written = shim.shim_file_write(fd, zeros, count, at);
    at += check(written, `get memory for ${path}`, {
      ENOSPC: "free some in that file system: a capture needs 9 MB for each lcore of the host",
    });
  }
}
