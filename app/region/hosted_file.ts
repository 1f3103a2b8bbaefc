import { check } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { giveFile, isSameFile, type Owner, ownerFor, statusOf } from "../linux/owner.ts";
import { checkRegionBytes } from "../memory/region.ts";
import { openLocked } from "./locked_file.ts";
import { checkMayKeep, fileBytes, once, remove } from "../linux/files.ts";
import {
  checkIsRegion,
  type HostedMemory,
  isCut,
  REGION_BYTES,
  wrongSize,
} from "./region_claim.ts";

/**
 * Make, or find and reuse, a region in a file, which is locked, and removed at the end if it is
 * new.
 *
 * @param bytes Undefined for what is there.
 * @param owner Who may open it, if it is new; and who may have made it, beside us and root.
 * @param newBytes Its size if it is new, and `bytes` is undefined.
 * @throws {CulvertError} if it cannot be made, has another size or owner, or another host has it.
 */
export function hostFile(
  path: string,
  bytes: number | undefined,
  owner: Owner = ownerFor({}),
  newBytes: number = REGION_BYTES,
): HostedMemory {
  const { fd, isMade, status } = openLocked(path, path, owner, () => {
    checkMayKeep("make a region", path);
  });
  let isNew = isMade;
  const isReplaced = () => !isSameFile(status, statusOf(path));
  const withdraw = once(() => isNew && !isReplaced() && remove(path));
  let memory: MappedMemory | undefined;
  try {
    const isUnmade = isNew || fileBytes(fd, path) === 0;
    isNew = isUnmade; // who began it has died just then, or left it to us who were quicker
    const wanted = bytes ?? (isUnmade ? newBytes : fileBytes(fd, path));
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
  check(result, `get ${bytes} bytes for ${path}`, {
    EINVAL: "on hugetlbfs it must be a multiple of the page size; use --size 2M or more",
    ENOSPC: "make it smaller, or free memory; on hugetlbfs raise vm.nr_hugepages (sysctl)",
  });
}
