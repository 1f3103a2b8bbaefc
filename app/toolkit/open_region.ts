/**
 * Regions for programs: to host one, and to attach to one by name, by path, or as the device of a
 * VM.
 *
 * @module
 */
import { stderr } from "../linux/output.ts";
import { CulvertError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { hostRegionMemory } from "../region/hosted_memory.ts";
import type { Peer } from "../ivshmem/peer.ts";
import { openRegion } from "../region/region_source.ts";
import { mapMemoryCached } from "../region/cached_bar.ts";
import { requireIvshmem } from "../linux/pci.ts";
import { Region } from "../memory/region.ts";

/** Milliseconds between two signs of life, and between two looks at what the server says. */
const BEAT_MS = 200;

/** Interrupt vectors of each peer, should a server have to be started. */
const VECTORS = 1;

/** A region in use by this program: `using opened = attachRegion("culvert0")`. */
export interface OpenedRegion extends Disposable {
  /** Its memzones, and what is made of them. */
  readonly region: Region;
  /** Let go of it: all views of it read as zeros from then on, and no thread may be using one. */
  close(): void;
}

/**
 * Host a region: take its memory, or make it, and begin it anew. Add memzones, then
 * `region.publish()`. While it is open, a timer keeps the region's heartbeat up, so the event loop
 * has to run.
 *
 * A NAME has a server, `culvert server`, that hands the region out at /run/culvert/NAME.sock; one
 * is started if none is there. A PATH is a file, best in /dev/shm or on hugetlbfs, or a server's
 * socket. A process may host many regions, some 200 together with those it attaches to.
 *
 * @param bytes A power of two from 1 MiB to 4 GiB; if left out, the size that the region has, or 64
 * MiB for a new one.
 * @throws {CulvertError} if it cannot be made, has another size, or another host has it.
 */
export async function hostRegion(name: string, bytes?: number): Promise<OpenedRegion> {
  const hosted = await hostRegionMemory(name, bytes, VECTORS);
  let region: Region;
  try {
    region = Region.build(hosted.memory, name);
  } catch (error) {
    hosted.close();
    throw error;
  }
  return opened(region, hosted.peer, () => {
    region.close();
    hosted.close();
  });
}

/**
 * Attach to a region of this machine by NAME or PATH.
 *
 * @throws {CulvertError} if there is none, or it is not one that this build can use.
 */
export function attachRegion(name: string): OpenedRegion {
  const source = openRegion(name);
  if (!source) {
    throw new CulvertError(
      `Cannot attach to region ${name} as there is none: start its host first, or name another`,
    );
  }
  return attached(source.memory, name, () => source.close(), source.peer);
}

/**
 * In a VM: attach to the region that an ivshmem device brings. `ivshmemDevices()` lists the
 * devices.
 *
 * @param address Such as `0000:00:04.0`; `auto` for the first.
 * @param log Told if its memory is mapped slowly, and what to do.
 * @throws {CulvertError} if there is no such device, or the region in it is not one that this build
 * can use.
 */
export function attachDevice(
  address = "auto",
  log: (line: string) => void = (line) => stderr.line(line),
): OpenedRegion {
  const device = requireIvshmem(address);
  const memory = mapMemoryCached(device, log);
  return attached(memory, device.address, () => memory.close());
}

function attached(
  memory: Region["memory"],
  name: string,
  letGo: () => void,
  peer?: Peer,
): OpenedRegion {
  try {
    return opened(Region.attach(memory, name), peer, letGo, false);
  } catch (error) {
    letGo();
    throw error;
  }
}

function opened(
  region: Region,
  peer: Peer | undefined,
  letGo: () => void,
  isHost = true,
): OpenedRegion {
  const timer = setInterval(() => {
    if (isHost) region.beat();
    listen(peer);
  }, BEAT_MS);
  Deno.unrefTimer(timer);
  let isOpen = true;
  const close = () => {
    if (!isOpen) return;
    isOpen = false;
    clearInterval(timer);
    letGo();
  };
  return { region, close, [Symbol.dispose]: close };
}

/** Read which peers join and leave: the server cuts off a peer that reads nothing. */
function listen(peer: Peer | undefined): void {
  for (const event of peer?.poll() ?? []) {
    if (event.kind === "left") event.eventfds.forEach((fd) => shim.shim_fd_close(fd));
  }
}
