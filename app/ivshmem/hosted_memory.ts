import { check, CulvertError } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { checkRegionBytes } from "../memory/region.ts";
import { isPath, socketPath } from "../memory/region_name.ts";
import { hostFile } from "./hosted_file.ts";
import { once } from "./own_file.ts";
import { Peer } from "./peer.ts";
import {
  checkIsRegion,
  type HostedMemory,
  lockRegion,
  REGION_BYTES,
  wrongSize,
} from "./region_claim.ts";
import { startServer } from "./start_server.ts";

export type { HostedMemory } from "./region_claim.ts";

const READ_ONLY_FOLLOWING = 3;

/** Milliseconds in which a server that just ends, or just starts, must have done so. */
const SERVER_MS = 10_000;

/**
 * Take the memory of a region for this host. For a NAME it comes from the region's server, which is
 * started beside us if there is none, and ends by itself when nobody uses the region any more; for a
 * PATH from the server that listens there, or from that file. Call `giveUpRunning()` after the last one.
 *
 * @param bytes Undefined for what is there, or 64 MiB.
 * @param vectors Interrupt vectors of each peer, if a server has to be started.
 * @throws {CulvertError} if it cannot be made, has another size, or another host has it.
 */
export async function hostRegionMemory(
  region: string,
  bytes: number | undefined,
  vectors: number,
): Promise<HostedMemory> {
  if (bytes !== undefined) checkRegionBytes(bytes, region);
  const peer = isPath(region)
    ? Peer.connect(region)
    : await serverOf(region, bytes ?? REGION_BYTES, vectors);
  return peer ? hostServed(region, peer, bytes) : hostFile(region, bytes);
}

/** Our connection to the server of a name, after starting one if there is none. */
async function serverOf(name: string, bytes: number, vectors: number): Promise<Peer> {
  const path = socketPath(name);
  const end = performance.now() + SERVER_MS;
  for (;;) {
    const peer = Peer.connect(path);
    if (peer) return peer;
    const memory = { kind: "memfd" } as const;
    try {
      await startServer({ socket: path, memory, bytes, vectors, untilUnused: true });
    } catch (error) {
      // Another host may have started one meanwhile, or the last one's may be about to end.
      if (!(error instanceof CulvertError)) throw error;
      const other = Peer.connect(path);
      if (other) return other;
      if (performance.now() > end || !/another server answers/.test(error.message)) throw error;
    }
  }
}

function hostServed(region: string, peer: Peer, wanted: number | undefined): HostedMemory {
  let lock = -1;
  let memory: MappedMemory | undefined;
  try {
    checkRegionBytes(peer.bytes, region);
    // A lock is of an open file, and the memory's descriptor is one that all peers share.
    const own = cString(`/proc/self/fd/${peer.memoryFd}`);
    lock = check(shim.shim_file_open(own, READ_ONLY_FOLLOWING), `open region ${region} again`);
    lockRegion(lock, region);
    if (wanted !== undefined && wanted !== peer.bytes) throw wrongSize(region, peer.bytes, wanted);
    memory = MappedMemory.ofFile(peer.memoryFd, peer.bytes, `region ${region}`);
    checkIsRegion(memory, region);
  } catch (error) {
    memory?.close();
    if (lock >= 0) shim.shim_fd_close(lock);
    peer.close();
    throw error;
  }
  return {
    memory,
    path: isPath(region) ? region : socketPath(region),
    peer,
    withdraw() {},
    close: once(() => {
      memory.close();
      shim.shim_fd_close(lock);
      peer.close();
    }),
  };
}
