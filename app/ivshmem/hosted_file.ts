import { check, ShimError } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { giveFile, type Owner, ownerFor, statusOf } from "../memory/owner.ts";
import { checkRegionBytes } from "../memory/region.ts";
import { checkMayKeep, fileBytes, once, remove } from "./own_file.ts";
import {
  checkIsRegion,
  type HostedMemory,
  isCut,
  lockRegion,
  REGION_BYTES,
  wrongSize,
} from "./region_claim.ts";

const READ_WRITE = 1, CREATE = 2;

/**
 * Make, or find and reuse, a region in a file, which is locked, and removed at the end if it is new.
 *
 * @param bytes Undefined for what is there.
 * @param owner Who may open it, if it is new.
 * @throws {CulvertError} if it cannot be made, has another size, or another host has it.
 */
export function hostFile(
  path: string,
  bytes: number | undefined,
  owner: Owner = ownerFor({}),
): HostedMemory {
  const { fd, isNew } = openOrCreate(path);
  const ours = statusOf(path)?.inode;
  const isReplaced = () => statusOf(path)?.inode !== ours;
  const withdraw = once(() => isNew && !isReplaced() && remove(path));
  let memory: MappedMemory | undefined;
  try {
    lockRegion(fd, path);
    const isUnmade = isNew || fileBytes(fd, path) === 0; // as a host leaves it that dies just then
    const wanted = bytes ?? (isUnmade ? REGION_BYTES : fileBytes(fd, path));
    checkRegionBytes(wanted, path);
    if (isUnmade) reserve(fd, wanted, path);
    const found = fileBytes(fd, path);
    if (found !== wanted) throw wrongSize(path, found, wanted);
    reserve(fd, wanted, path);
    memory = MappedMemory.ofFile(fd, wanted, `region file ${path}`);
    checkIsRegion(memory, path);
    if (isNew) giveFile(fd, owner, path);
  } catch (error) {
    withdraw();
    memory?.close();
    shim.shim_fd_close(fd);
    throw error;
  }
  const { map, bytes: mapped } = memory;
  return {
    memory,
    path,
    withdraw,
    trouble() {
      if (isCut(map, fd, mapped, path)) return "cut";
      return isReplaced() ? "replaced" : undefined;
    },
    close: once(() => {
      withdraw();
      memory.close();
      shim.shim_fd_close(fd); // with it goes the lock
    }),
  };
}

/** Give a file its size, and memory for all of it: what a sparse file lacks is SIGBUS later. */
function reserve(fd: number, bytes: number, path: string): void {
  const result = shim.shim_file_resize(fd, BigInt(bytes));
  const advice = new Map([
    ["EINVAL", "on hugetlbfs it must be a multiple of the page size; use --size 2M or more"],
    ["ENOSPC", "make it smaller, or free memory; on hugetlbfs raise vm.nr_hugepages (sysctl)"],
  ]);
  check(result, `get ${bytes} bytes for ${path}`, advice.get(new ShimError("", -result).code));
}

function openOrCreate(path: string): { fd: number; isNew: boolean } {
  const fd = shim.shim_file_open(cString(path), READ_WRITE);
  if (fd >= 0) return { fd, isNew: false };
  const { code } = new ShimError("", -fd);
  if (code !== "ENOENT") {
    const advice = code === "ENXIO"
      ? "it is a socket where no server answers; remove it"
      : undefined;
    check(fd, `open region file ${path}`, advice);
  }
  checkMayKeep("make a region", path);
  const action = `create region file ${path}`;
  return { fd: check(shim.shim_file_open(cString(path), CREATE), action), isNew: true };
}
