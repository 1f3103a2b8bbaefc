import { check, CulvertError } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { type Account, ownerFor, SAME, statusOfFile } from "../linux/owner.ts";
import { checkRegionBytes } from "../memory/region_size.ts";
import { isPath, socketPath } from "../memory/region_name.ts";
import { type HostLock, takeHostLock } from "./host_lock.ts";
import { hostFile } from "./hosted_file.ts";
import { once } from "../linux/files.ts";
import { Peer } from "../ivshmem/peer.ts";
import { ANOTHER_SERVER_CODE } from "../ivshmem/server_report.ts";
import { Reconnector } from "./reconnector.ts";
import { ServerStarter } from "./server_starter.ts";
import {
  checkIsRegion,
  type HostedMemory,
  isCut,
  lockRegion,
  MADE_BY_HOST,
  REGION_BYTES,
  wrongSize,
} from "./region_claim.ts";

export type { HostedMemory } from "./region_claim.ts";

const READ_ONLY_FOLLOWING = 3;

/** Of a file's mode: all but its kind. */
const PERMISSIONS = 0o7777;

/** Milliseconds that a server may take to end or to start. */
const SERVER_MS = 10_000;

/**
 * Take the memory of a region for this host. For a NAME it comes from the region's server, which is
 * started beside us if there is none, and ends by itself when nobody uses the region any more; for
 * a PATH from the server that listens there, or from that file.
 *
 * @param bytes Its size; if undefined, the size of the region that is there, or `newBytes`.
 * @param vectors Interrupt vectors of each peer, if a server has to be started.
 * @param account The owner of server and file, if they are made.
 * @param newBytes Its size if it is new, and `bytes` is undefined.
 * @throws {CulvertError} if it cannot be made, has another size, or another host has it.
 */
export async function hostRegionMemory(
  region: string,
  bytes: number | undefined,
  vectors: number,
  account: Account = {},
  newBytes: number = REGION_BYTES,
): Promise<HostedMemory> {
  if (bytes !== undefined) checkRegionBytes(bytes, region);
  if (!isPath(region)) {
    return await hostNamed(region, bytes, vectors, account, newBytes);
  }
  const peer = Peer.connect(region);
  return peer
    ? hostServed(region, peer, bytes)
    : hostFile(region, bytes, ownerFor(account), newBytes);
}

async function hostNamed(
  name: string,
  bytes: number | undefined,
  vectors: number,
  account: Account,
  newBytes: number,
): Promise<HostedMemory> {
  const starter = new ServerStarter({
    socket: socketPath(name),
    memory: { kind: "memfd" },
    bytes: bytes ?? newBytes,
    vectors,
    untilUnused: true,
    account,
  });
  try {
    return hostServed(name, await serverOf(name, vectors, starter), bytes, starter);
  } catch (error) {
    starter.close();
    throw error;
  }
}

/** Our connection to the server of a name, after starting one if there is none. */
async function serverOf(name: string, vectors: number, starter: ServerStarter): Promise<Peer> {
  const path = socketPath(name);
  const end = performance.now() + SERVER_MS;
  for (let given: number | undefined;;) {
    const peer = Peer.connect(path, given, SERVER_MS);
    if (peer) return peer;
    if (performance.now() > end) {
      throw new CulvertError(
        `Cannot host region ${name} as its servers end as soon as they begin: try \`culvert server ` +
          `-F -S ${name}\``,
      );
    }
    try {
      await starter.start();
      given = vectors;
    } catch (error) {
      // Another host may have started a server, or that of the last host may be about to end.
      if (!(error instanceof CulvertError)) throw error;
      const other = Peer.connect(path, vectors, SERVER_MS);
      if (other) return other;
      if (performance.now() > end || error.code !== ANOTHER_SERVER_CODE) throw error;
    }
  }
}

function hostServed(
  region: string,
  peer: Peer,
  wanted: number | undefined,
  starter?: ServerStarter,
): HostedMemory {
  let hostLock: HostLock | undefined;
  let lock = -1;
  let memory: MappedMemory | undefined;
  const path = isPath(region) ? region : socketPath(region);
  try {
    checkRegionBytes(peer.bytes, region);
    hostLock = takeHostLock(region);
    // Opened again, as a lock belongs to an open file, and all peers share the memory's.
    const own = cString(`/proc/self/fd/${peer.memoryFd}`);
    lock = check(shim.shim_file_open(own, READ_ONLY_FOLLOWING), `open region ${region} again`);
    // Memory without a name belongs to one server, and `hostLock` keeps hosts of that apart. If a
    // peer has locked the memory, that does not matter.
    const { names } = statusOfFile(lock, region);
    if (hostLock && names === 0) shim.shim_file_lock(lock);
    else lockRegion(lock, region);
    if (wanted !== undefined && wanted !== peer.bytes) throw wrongSize(region, peer.bytes, wanted);
    memory = MappedMemory.ofFile(peer.memoryFd, peer.bytes, `region ${region}`);
    // A server by NAME is one of ours, so its memory is a region, even if a guest has written over
    // the header.
    if (isPath(region)) checkServed(memory, lock, region);
  } catch (error) {
    memory?.close();
    if (lock >= 0) shim.shim_fd_close(lock);
    hostLock?.release();
    peer.close();
    throw error;
  }
  const { map, bytes: mapped } = memory;
  return {
    memory,
    path,
    peer,
    trouble() { // a server may have its memory in a file
      return isCut(map, lock, mapped, region) ? "cut" : undefined;
    },
    reconnector: (log) => new Reconnector(path, log, starter),
    close: once(() => {
      memory.close();
      shim.shim_fd_close(lock);
      hostLock?.release();
      peer.close();
      starter?.close();
    }),
  };
}

/**
 * See that what a server by PATH hands out was a region, or empty, before its first host. Memory
 * without a name is marked then, if we may do that, as guests can write over the header.
 *
 * @throws {CulvertError} if it holds something else.
 */
function checkServed(memory: MappedMemory, fd: number, region: string): void {
  const { mode, names } = statusOfFile(fd, region);
  if ((mode & MADE_BY_HOST) !== 0) return;
  checkIsRegion(memory, region);
  if (names === 0) shim.shim_fd_give(fd, SAME, SAME, mode & PERMISSIONS | MADE_BY_HOST);
}
