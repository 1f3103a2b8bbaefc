import { check, CulvertError, ShimError } from "../../ffi/error.ts";
import { MappedMemory, sealedMemfd } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { HEADER, MAGIC } from "./layout.ts";
import { checkRegionBytes } from "./region.ts";

/** Where the sockets of regions that have a name are. */
export const SOCKET_FOLDER = "/run/culvert";

const READ_ONLY = 0, READ_WRITE = 1, CREATE = 2;
const EAGAIN = 11, ECONNRESET = 104;

/** A region is named by a path if there is a slash in it, else by a name. */
export function isPath(region: string): boolean {
  return region.includes("/");
}

/**
 * The socket at which the host hands out the region `name`.
 *
 * @throws {CulvertError} if it cannot be a name.
 */
export function socketPath(name: string): string {
  if (!/^[\w.-]{1,64}$/.test(name)) {
    throw new CulvertError(
      `Cannot use region "${name}" as it is no name (letters, digits, ".", "_", "-") and no path: ` +
        `write culvert0 or /dev/shm/culvert0`,
    );
  }
  return `${SOCKET_FOLDER}/${name}.sock`;
}

/**
 * Check what a command line calls a region.
 *
 * @throws {CulvertError} if it is neither path nor name.
 */
export function checkRegionName(region: string): void {
  if (!isPath(region)) socketPath(region);
}

/** The memory of a region that this process, a host, keeps. */
export interface HostedMemory {
  /** All of it, mapped; for a path maybe as the last host left it. */
  readonly memory: MappedMemory;
  /** What QEMU's `mem-path` must be. */
  readonly path: string;
  /** Hand the region to all who are waiting for it. Call it some times a second. */
  serve(): void;
  /** From now on nobody finds it: no file or socket is left that was not there before. */
  withdraw(): void;
  /** Withdraw, close and unmap it: no lcore may be using it any more. */
  close(): void;
}

/**
 * Make, or find and reuse, a region's memory: for a name a sealed memfd that is handed out at a
 * socket of mode 0600; for a path the file, which is locked, and removed at the end if it is new.
 *
 * @throws {CulvertError} if it cannot be made, has another size, or another host has it.
 */
export function hostRegionMemory(region: string, bytes: number): HostedMemory {
  checkRegionBytes(bytes, region);
  return isPath(region) ? hostFile(region, bytes) : hostMemfd(region, bytes);
}

function hostMemfd(name: string, bytes: number): HostedMemory {
  const path = socketPath(name);
  const fd = sealedMemfd(`culvert-${name}`, bytes);
  const memory = MappedMemory.ofFile(fd, bytes, `region ${name}`);
  let listener = listen(path, name);
  memory.u32[HEADER.HOST_PID] = Deno.pid;
  memory.u32[HEADER.HOST_FD] = fd;
  let peers = 0;
  const withdraw = once(() => {
    remove(path);
    shim.shim_fd_close(listener);
    listener = -1;
  });
  return {
    memory,
    path: `/proc/${Deno.pid}/fd/${fd}`,
    serve() {
      for (let peer; (peer = shim.shim_unix_accept(listener)) >= 0;) handOut(peer, peers++, fd);
    },
    withdraw,
    close() {
      withdraw();
      shim.shim_fd_close(fd);
      memory.close();
    },
  };
}

/** QEMU's ivshmem-server protocol, version 0: version, peer id, then -1 with the memory. */
function handOut(peer: number, id: number, memoryFd: number): void {
  shim.shim_unix_send(peer, 0n, -1);
  shim.shim_unix_send(peer, BigInt(id % 65536), -1);
  shim.shim_unix_send(peer, -1n, memoryFd);
  shim.shim_fd_close(peer);
}

/** Listen at `path`, in the place of a socket that nobody listens at any more. */
function listen(path: string, name: string): number {
  const make = () => Deno.mkdirSync(SOCKET_FOLDER, { recursive: true, mode: 0o755 });
  orExplain(`make ${SOCKET_FOLDER}`, make);
  const other = shim.shim_unix_connect(cString(path), 100);
  if (other >= 0) {
    shim.shim_fd_close(other);
    throw new CulvertError(
      `Cannot host region ${name} as another host answers at ${path}: stop that one, or use ` +
        `another --region`,
    );
  }
  const { code } = new ShimError("", -other);
  if (code === "ECONNREFUSED") remove(path); // nobody answers at it any more
  else if (code !== "ENOENT") check(other, `see who answers at ${path}`);
  return check(shim.shim_unix_listen(cString(path)), `listen at ${path}`);
}

/** Remove a file, unless somebody else has. */
function remove(path: string): void {
  orExplain(`remove ${path}`, () => Deno.removeSync(path));
}

/** Do something to a file, which may be missing; what else fails is said in one line. */
function orExplain(action: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new CulvertError(
      `Cannot ${action} as ${(error as Error).message}: run as root, or use a --region PATH in ` +
        `/dev/shm`,
    );
  }
}

function hostFile(path: string, bytes: number): HostedMemory {
  let fd = shim.shim_file_open(cString(path), READ_WRITE);
  const isNew = fd < 0;
  if (isNew) {
    if (new ShimError("", -fd).code !== "ENOENT") check(fd, `open region file ${path}`);
    checkRemovable(path);
    fd = check(shim.shim_file_open(cString(path), CREATE), `create region file ${path}`);
  }
  const withdraw = once(() => isNew && remove(path));
  try {
    const locked = shim.shim_file_lock(fd);
    if (locked === -EAGAIN) {
      throw new CulvertError(
        `Cannot host region ${path} as another host has it: stop that one, or use another --region`,
      );
    }
    check(locked, `lock region file ${path}`);
    if (isNew) check(shim.shim_file_resize(fd, BigInt(bytes)), `give ${path} ${bytes} bytes`);
    const found = fileBytes(fd, path);
    if (found !== bytes) {
      throw new CulvertError(
        `Cannot host region ${path} as the file has ${found} bytes where ${bytes} are wanted: ` +
          `use --size ${found}, or remove it`,
      );
    }
    check(shim.shim_file_resize(fd, BigInt(bytes)), `get ${bytes} bytes for ${path}`);
    const memory = MappedMemory.ofFile(fd, bytes, `region file ${path}`);
    const begins = memory.u32[HEADER.MAGIC_0];
    if (begins !== 0 && begins !== MAGIC[0]) {
      memory.close();
      throw new CulvertError(
        `Cannot host region ${path} as the file holds something else: name another, or remove it`,
      );
    }
    return {
      memory,
      path,
      serve() {},
      withdraw,
      close() {
        withdraw();
        shim.shim_fd_close(fd);
        memory.close(); // only then is the lock gone
      },
    };
  } catch (error) {
    withdraw();
    shim.shim_fd_close(fd);
    throw error;
  }
}

function checkRemovable(path: string): void {
  if (Deno.permissions.querySync({ name: "write", path }).state === "granted") return;
  throw new CulvertError(
    `Cannot create region file ${path} as we may not remove it in the end: make it beforehand, ` +
      `use a path in /dev/shm, or run deno with --allow-write=${path}`,
  );
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}

function fileBytes(fd: number, path: string): number {
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
      const received = shim.shim_unix_receive(socket, value, passed);
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

/** Read a small text file of the kernel's, such as one in /proc, which Deno opens under -A only. */
export function readKernelFile(path: string): string {
  const fd = check(shim.shim_file_open(cString(path), READ_ONLY), `read ${path}`);
  const chunks: Uint8Array[] = [];
  try {
    for (;;) {
      const chunk = new Uint8Array(4096);
      const n = check(shim.shim_file_read(fd, chunk, chunk.length), `read ${path}`);
      if (n === 0) break;
      chunks.push(chunk.subarray(0, n));
    }
  } finally {
    shim.shim_fd_close(fd);
  }
  const decoder = new TextDecoder();
  return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("");
}
