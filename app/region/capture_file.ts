import { basename } from "node:path";
import { check, CulvertError, FILE_ADVICE, ShimError } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { AreaPlaces, CaptureArea } from "../capture/capture_area.ts";
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

/** Errors after which a host goes on without the file, and nobody can capture. */
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

/**
 * The regions whose hosts have a capture area, in the order of their names. The areas of hosts that
 * were killed are removed, as far as we may.
 *
 * @throws if the folder cannot be read.
 */
export function capturedRegions(): string[] {
  const files = [...Deno.readDirSync(SOCKET_FOLDER)].map(({ name }) => name);
  return files.filter((file) => file.endsWith(SUFFIX) && !removeIfLeft(`${SOCKET_FOLDER}/${file}`))
    .map((file) => decodeURIComponent(file.slice(0, -SUFFIX.length))).sort();
}

/** Remove the areas of killed hosts, if we may read their folder. */
function removeLeft(): void {
  try {
    capturedRegions();
  } catch (error) {
    const isOthers = error instanceof Deno.errors.NotCapable ||
      error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied;
    if (!isOthers) throw error;
  }
}

/** Remove a capture area's file if its host has died; returns whether it has. */
function removeIfLeft(path: string): boolean {
  const fd = shim.shim_file_open(cString(path), READ_WRITE);
  if (fd < 0) return false; // another user's
  try {
    const isLeft = fileBytes(fd, path) > 0 && shim.shim_file_lock(fd) === 0;
    if (isLeft) shim.shim_path_remove(cString(path));
    return isLeft;
  } finally {
    shim.shim_fd_close(fd);
  }
}

/** The capture area of a region that we host, for all hosts that this program has in turn. */
export interface HostedCapture {
  /** The area, and where its ports are. */
  readonly places: AreaPlaces;
  /** Tell captures that the host ends, unmap and remove it. No lcore may be using it any more. */
  close(): void;
}

/**
 * Make a region's capture area: a file of the host's user alone, whatever group may use the region,
 * since what is captured is every guest's. Programs that capture get the memory for their rings.
 * The file is locked as long as it is mapped here, which tells others that its host lives.
 *
 * @param lcores How many lcores the host has.
 * @param account The host's: its user may open the file, its group may not.
 * @returns undefined where we may not make it.
 * @throws {CulvertError} if there is no such user, or no memory.
 */
export function makeCaptureArea(
  region: string,
  lcores: number,
  { user }: Account,
): HostedCapture | undefined {
  const path = capturePath(region);
  const bytes = CaptureArea.bytesFor(lcores);
  if (bytes > BYTES_MAX) return undefined;
  removeLeft();
  shim.shim_path_remove(cString(path)); // also one that cannot be opened, or is empty
  const fd = shim.shim_file_open(cString(path), CREATE);
  if (fd < 0 && NOT_HERE.includes(new ShimError("", -fd).code)) return undefined;
  check(fd, `make ${path}`, FILE_ADVICE);
  try {
    check(shim.shim_file_lock(fd), `lock ${path}`);
    if (user !== undefined) giveFile(fd, ownerFor({ user }), path);
    check(shim.shim_file_write(fd, Uint8Array.of(0), 1, bytes - 1), `make ${path} longer`);
    const status = statusOfFile(fd, path);
    const memory = MappedMemory.ofFile(fd, bytes, path);
    const area = CaptureArea.create(memory, lcores);
    return {
      places: new AreaPlaces(area),
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
  /** The area, mapped. */
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
    throw noHost(
      region,
      `no host that runs has made ${path}: name another by --region; there are ${regionNames()}`,
    );
  }
  const fd = check(opened, `open ${path}`, {
    ...FILE_ADVICE,
    EACCES: "be the host's user, or root: a capture shows the frames of all guests",
  });
  try {
    const status = statusOfFile(fd, path);
    const memory = MappedMemory.ofFile(fd, fileBytes(fd, path), path);
    const area = new CaptureArea(memory, path);
    const hasHost = () => shim.shim_file_lock(fd) < 0;
    if (!hasHost()) {
      shim.shim_path_remove(cString(path));
      memory.close();
      throw noHost(region, "its host was killed: start it again");
    }
    return {
      area,
      isThere: () => !area.isClosed && isSameFile(status, statusOf(path)) && hasHost(),
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

function noHost(region: string, why: string): CulvertError {
  return new CulvertError(`Cannot capture at region ${region} as ${why}`);
}

/** Whether there is a process of this number. */
export function isProcess(pid: number): boolean {
  return statusOf(`/proc/${pid}`) !== undefined;
}

/** Write zeros: that a file system is full is an error now, not a signal to the host later. */
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
