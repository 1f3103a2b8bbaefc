import { check, CulvertError, FILE_ADVICE, ShimError } from "../../ffi/error.ts";
import { sealedMemfd } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { giveFile, type Owner, ownerFor } from "../linux/owner.ts";
import { checkIsOurs, checkMayKeep, fileBytes, once, remove } from "../linux/files.ts";

const READ_WRITE = 1, CREATE = 2;

/** Where POSIX shared memory objects are. */
export const SHM_FOLDER = "/dev/shm";

/** Smallest memory that is served, in bytes: a page. */
const SERVED_MIN_BYTES = 4096;

/** Where pages of hugetlbfs end: a size that its pages do not divide is doubled until they do. */
const HUGE_PAGE_MAX_BYTES = 2 ** 30;

/** Where a server has its memory. */
export type MemoryPlace =
  /** A memfd, sealed against shrinking and growing. */
  | { readonly kind: "memfd" }
  /** A POSIX shared memory object, removed in the end if it was new. */
  | { readonly kind: "shm"; readonly name: string }
  /** A file without a name in a folder, such as one on hugetlbfs. */
  | { readonly kind: "folder"; readonly path: string }
  /** What our starter has left open for us. */
  | { readonly kind: "inherited"; readonly fd: number };

/** What a server hands out. */
export interface ServedMemory {
  /** Its descriptor. */
  readonly fd: number;
  /** May be more than was asked for. */
  readonly bytes: number;
  /** For people. */
  readonly place: string;
  /** Close it, and remove it if it was made. */
  close(): void;
}

/** The smallest power of two of at least `bytes` and a page: QEMU takes no other size. */
export function roundedUp(bytes: number): number {
  return Math.max(2 ** Math.ceil(Math.log2(bytes)), SERVED_MIN_BYTES);
}

/**
 * Make a server's memory, or find it.
 *
 * @param label What a memfd is called in /proc.
 * @param bytes A power of two; inherited memory keeps its own size.
 * @param owner The owner of memory that is made, who may open its path, or its descriptor again.
 * @throws {CulvertError} if there is none to be had, or what is there has another size.
 */
export function makeMemory(
  place: MemoryPlace,
  label: string,
  bytes: number,
  owner: Owner = ownerFor({}),
): ServedMemory {
  switch (place.kind) {
    case "memfd": {
      const fd = sealedMemfd(`culvert-${label}`, bytes);
      const close = () => void shim.shim_fd_close(fd);
      return given({ fd, bytes, place: "a sealed memfd", close }, owner);
    }
    case "shm":
      return sharedObject(`${SHM_FOLDER}/${place.name}`, bytes, owner);
    case "folder":
      return given(unnamedFile(place.path, bytes), owner);
    case "inherited":
      return inheritedFile(place.fd);
  }
}

/** Give memory to its owner. */
function given(memory: ServedMemory, owner: Owner): ServedMemory {
  try {
    giveFile(memory.fd, owner, memory.place);
    return memory;
  } catch (error) {
    memory.close();
    throw error;
  }
}

function sharedObject(path: string, wanted: number, owner: Owner): ServedMemory {
  checkMayKeep("make memory", path);
  let fd = shim.shim_file_open(cString(path), READ_WRITE);
  const isNew = fd < 0 && new ShimError("", -fd).code === "ENOENT";
  if (isNew) fd = shim.shim_file_open(cString(path), CREATE);
  check(fd, `open shared memory ${path}`, FILE_ADVICE);
  const close = once(() => {
    if (isNew) remove(path);
    shim.shim_fd_close(fd);
  });
  try {
    if (!isNew) checkIsOurs(fd, path, owner, `serve ${path}`);
    const bytes = isNew ? resize(fd, wanted, path) : fileBytes(fd, path);
    if (!isNew && bytes !== wanted) {
      throw new CulvertError(
        `Cannot serve ${path} as it has ${bytes} bytes where ${wanted} are wanted: use ` +
          `-l ${bytes}, or remove it`,
      );
    }
    if (isNew) giveFile(fd, owner, path);
    return { fd, bytes, place: path, close };
  } catch (error) {
    close();
    throw error;
  }
}

function inheritedFile(fd: number): ServedMemory {
  const place = `the memory that is open as descriptor ${fd}`;
  const bytes = fileBytes(fd, place);
  return { fd, bytes, place, close: () => void shim.shim_fd_close(fd) };
}

function unnamedFile(folder: string, wanted: number): ServedMemory {
  checkMayKeep("make memory", folder);
  const random = crypto.getRandomValues(new Uint32Array(2));
  const path = `${folder}/culvert-${[...random].map((word) => word.toString(36)).join("")}`;
  const fd = check(
    shim.shim_file_open(cString(path), CREATE),
    `make a file in ${folder}`,
    FILE_ADVICE,
  );
  try {
    remove(path);
    const bytes = resize(fd, wanted, `a file in ${folder}`);
    const place = `a file in ${folder}`;
    return { fd, bytes, place, close: () => void shim.shim_fd_close(fd) };
  } catch (error) {
    shim.shim_fd_close(fd);
    throw error;
  }
}

/** Give a file its size, or the next one that its file system can make. */
function resize(fd: number, wanted: number, what: string): number {
  for (let bytes = wanted;; bytes *= 2) {
    const result = shim.shim_file_resize(fd, BigInt(bytes));
    if (result === 0) return bytes;
    const isTooFine = new ShimError("", -result).code === "EINVAL" && bytes < HUGE_PAGE_MAX_BYTES;
    if (!isTooFine) {
      check(result, `give ${what} ${bytes} bytes`, "make it smaller, or free memory (huge pages)");
    }
  }
}
