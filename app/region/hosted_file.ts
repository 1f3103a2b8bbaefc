import { check } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import {
  giveFile,
  isSameFile,
  type Owner,
  ownerFor,
  statusOf,
  statusOfFile,
} from "../linux/owner.ts";
import { checkRegionBytes } from "../memory/region_size.ts";
import { openLocked } from "./locked_file.ts";
import { checkMayKeep, fileBytes, once, remove } from "../linux/files.ts";
import {
  checkIsRegion,
  type HostedMemory,
  isCut,
  MADE_BY_HOST,
  REGION_BYTES,
  wrongSize,
} from "./region_claim.ts";

const PAGE_BYTES = 4096;

/** Milliseconds that guests may take, once the host has ended, to let go of its file. */
const LET_GO_MS = 500, LOOK_MS = 10;

/**
 * Make a region in a file, or find and reuse it, and lock it. In the end the file is removed if a
 * host has made it, this one or an earlier one, unless it is still mapped: a VM that has it mapped
 * needs it for the next host.
 *
 * @param bytes Its size; if undefined, the size of the file, or `newBytes`.
 * @param owner The owner of a new file. A file that is there may belong to this owner, us or root.
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
  let isOurs = isMade || (status.mode & MADE_BY_HOST) !== 0;
  const isReplaced = () => !isSameFile(status, statusOf(path));
  const end = once(() => {
    memory?.close();
    if (isOurs && !isReplaced() && isLetGo(fd)) remove(path);
    shim.shim_fd_close(fd); // this gives the lock back, too
  });
  let memory: MappedMemory | undefined;
  try {
    // An empty file that we did not make: its host has died, or has not locked it yet.
    const isUnmade = isMade || fileBytes(fd, path) === 0;
    isOurs ||= isUnmade;
    const wanted = bytes ?? (isUnmade ? newBytes : fileBytes(fd, path));
    checkRegionBytes(wanted, path);
    if (isUnmade) giveFile(fd, { ...owner, mode: owner.mode | MADE_BY_HOST }, path);
    if (isUnmade) reserve(fd, wanted, path);
    const found = fileBytes(fd, path);
    if (found !== wanted) throw wrongSize(path, found, wanted);
    reserve(fd, wanted, path);
    memory = MappedMemory.ofFile(fd, wanted, `region file ${path}`);
    if (!isOurs) checkIsRegion(memory, path);
  } catch (error) {
    end();
    throw error;
  }
  const { map, bytes: mapped } = memory;
  return {
    memory,
    path,
    trouble() {
      if (isCut(map, fd, mapped, path)) return "cut";
      return isReplaced() ? "replaced" : undefined;
    },
    close: end,
  };
}

/**
 * Whether nobody else has a file open to write, or mapped so. Guests that are about to let go of it
 * are given time. False if the kernel cannot tell.
 */
function isLetGo(fd: number): boolean {
  const nothing = new Int32Array(1);
  let isAlone = shim.shim_file_is_alone(fd);
  for (let waited = 0; isAlone === 0 && waited < LET_GO_MS; waited += LOOK_MS) {
    shim.shim_poll(nothing, 0, LOOK_MS * 1000);
    isAlone = shim.shim_file_is_alone(fd);
  }
  return isAlone === 1;
}

/**
 * Give a file its size, and memory for all of it: a hole in a sparse file may be a SIGBUS later. A
 * file without holes is left alone: for 4 GiB the kernel would search for seconds.
 */
function reserve(fd: number, bytes: number, path: string): void {
  if (fileBytes(fd, path) === bytes && statusOfFile(fd, path).pages * PAGE_BYTES >= bytes) return;
  const result = shim.shim_file_resize(fd, BigInt(bytes));
  check(result, `get ${bytes} bytes for ${path}`, {
    EINVAL: "on hugetlbfs it must be a multiple of the page size; use --size 2M or more",
    ENOSPC: "make it smaller, or free memory; on hugetlbfs raise vm.nr_hugepages (sysctl)",
  });
}
