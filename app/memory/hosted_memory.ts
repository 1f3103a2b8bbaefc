import { check, CulvertError, ShimError } from "../../ffi/error.ts";
import { MappedMemory, sealedMemfd } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { HEADER, MAGIC } from "./layout.ts";
import { checkRegionBytes } from "./region.ts";
import { fileBytes } from "./region_file.ts";
import { isPath, SOCKET_FOLDER, socketPath } from "./region_name.ts";

const READ_WRITE = 1, CREATE = 2;
const EAGAIN = 11;

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
