import { check, CulvertError, FILE_ADVICE, ShimError } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { Peer } from "../ivshmem/peer.ts";
import { fileBytes } from "../linux/files.ts";
import { statusOf, statusOfFile } from "../linux/owner.ts";
import { HEADER, MAGIC, REGION_STATE } from "../memory/layout.ts";
import { isPath, socketPath } from "../memory/region_name.ts";
import { listeningServers } from "../region/listening_servers.ts";
import { decodeRegion, withLives } from "./decode.ts";
import { mapReadOnly, READ_ONLY, READ_ONLY_LINKED } from "./find_region.ts";
import type { RegionReport } from "./region_report.ts";

/** The bits of a mode that tell what kind of file it is; and the kinds. */
const KIND = 0o170000, REGULAR = 0o100000, SOCKET = 0o140000, LINK = 0o120000;

/** Milliseconds until the next try: if the region is not there yet, and if it could not be read. */
const ABSENT_MS = 1000, WRONG_MS = 5000;

/** A region as it was found in one look. */
export interface RegionLook {
  /** Its name or path. */
  readonly name: string;
  /** What is in it; undefined if it is not there, or cannot be read. */
  readonly report?: RegionReport;
  /** Names the memory and its host: if either is another one, counters have begun at 0 again. */
  readonly run: string;
  /** Why it cannot be read. */
  readonly problem?: string;
}

/**
 * A region that is looked at again and again, for as long as the program runs: its memory, host and
 * server may end, and new ones of the same name may take their places.
 *
 * For a NAME we join its server as a peer, receive the memory, open it anew for reading alone, and
 * leave at once. So neither root nor the `/proc` of other processes is needed: each user that may
 * use the region may watch it. Memory that is mapped is not asked for again until another socket,
 * or another file, is at the region's path.
 */
export class WatchedRegion {
  readonly #path: string;
  #memory?: MappedMemory;
  #memoryIdentity = "";
  #placeIdentity?: string;
  #isFile = false;
  #retryAt = 0;
  #problem?: string;
  #last?: RegionReport;
  #run = "";

  /** Watch a region by its name or path. Nothing is opened before the first {@linkcode look}. */
  constructor(readonly name: string) {
    this.#path = isPath(name) ? name : socketPath(name);
  }

  /**
   * Look at it.
   *
   * @param now A clock in milliseconds.
   */
  look(now: number): RegionLook {
    this.#find(now);
    const { name } = this;
    if (!this.#memory) return { name, run: this.#run, problem: this.#problem };
    const seen = decodeRegion(this.#memory);
    const report = this.#last ? withLives(this.#last, seen) : seen;
    this.#last = seen;
    this.#followRun(report);
    const isGone = this.#placeIdentity === undefined && report.host?.isAlive !== true;
    // A host removes the file that it has made, unless somebody has it open.
    if (isGone || this.#isFile && report.host?.state === "CLOSED") this.close();
    return { name, report, run: this.#run };
  }

  /** Unmap the memory. The next {@linkcode look} may map it again. */
  close(): void {
    this.#memory?.close();
    this.#memory = undefined;
    this.#memoryIdentity = "";
    this.#last = undefined;
  }

  /** Counters begin at 0 when a host begins, not when it ends. */
  #followRun({ host }: RegionReport): void {
    if (host?.state === "READY") this.#run = `${this.#memoryIdentity}/${host.epoch}`;
  }

  #find(now: number): void {
    const place = statusOf(this.#path);
    const identity = place && `${place.device}:${place.inode}`;
    const isNew = identity !== this.#placeIdentity;
    const isFound = this.#memory !== undefined && this.#problem === undefined;
    if (!isNew && (isFound || now < this.#retryAt)) return;
    this.#placeIdentity = identity;
    this.#problem = undefined;
    this.#retryAt = now + ABSENT_MS;
    if (place === undefined) return;
    try {
      this.#adopt(place.mode);
    } catch (error) {
      if (!(error instanceof CulvertError)) throw error;
      this.#problem = error.message;
      this.#retryAt = now + WRONG_MS;
    }
  }

  #adopt(mode: number): void {
    const path = this.#path;
    this.#isFile = (mode & KIND) !== SOCKET;
    if (!this.#isFile) return this.#ask();
    const isOpenFile = (mode & KIND) === LINK && path.startsWith("/proc/");
    if ((mode & KIND) !== REGULAR && !isOpenFile) {
      throw new CulvertError(
        `Cannot watch ${path} as it is no file and no server's socket: name a region, or its memory`,
      );
    }
    const access = isOpenFile ? READ_ONLY_LINKED : READ_ONLY;
    const fd = check(
      shim.shim_file_open(cString(path), access),
      `open region ${path}`,
      FILE_ADVICE,
    );
    try {
      this.#map(fd);
    } finally {
      shim.shim_fd_close(fd);
    }
  }

  /** Ask the server for the memory. */
  #ask(): void {
    const peer = Peer.connect(this.#path, 0);
    if (peer === undefined) return; // the server has ended: the next one makes another socket
    const path = `/proc/self/fd/${peer.memoryFd}`;
    try {
      const fd = shim.shim_file_open(cString(path), READ_ONLY_LINKED);
      if (fd < 0) throw new ShimError(`open the memory of ${this.#path}`, -fd, FILE_ADVICE);
      try {
        this.#map(fd);
      } finally {
        shim.shim_fd_close(fd);
      }
    } finally {
      peer.close();
    }
  }

  #map(fd: number): void {
    if (this.#isFile && isClosed(fd, this.name)) return;
    const { device, inode } = statusOfFile(fd, `region ${this.name}`);
    const identity = `${device}:${inode}`;
    if (this.#memory && identity === this.#memoryIdentity) return; // the next server has the same
    const memory = mapReadOnly(fd, fileBytes(fd, this.name), this.name);
    this.close();
    this.#memory = memory;
    this.#memoryIdentity = identity;
  }
}

/** Whether the host of a region's file has ended. */
function isClosed(fd: number, name: string): boolean {
  const words = new Uint32Array(HEADER.STATE + 1);
  const bytes = new Uint8Array(words.buffer);
  check(shim.shim_file_read(fd, bytes, bytes.length), `read region ${name}`);
  return words[HEADER.MAGIC_0] === MAGIC[0] && words[HEADER.STATE] === REGION_STATE.CLOSED;
}

/** Several regions that are looked at together: the named ones, or all that have a server here. */
export class RegionWatch {
  readonly #regions = new Map<string, WatchedRegion>();

  /**
   * Watch these names and paths of regions; without any, at each look the regions that there are.
   */
  constructor(private readonly names: readonly string[]) {}

  /**
   * Look at each, once.
   *
   * @param now A clock in milliseconds.
   * @returns the named regions in their order; without names, those that are there, sorted by name.
   */
  look(now: number): RegionLook[] {
    const isNamed = this.names.length > 0;
    const names = isNamed ? this.names : listeningServers().map(({ region }) => region);
    for (const name of names) {
      if (!this.#regions.has(name)) this.#regions.set(name, new WatchedRegion(name));
    }
    const looks: RegionLook[] = [];
    for (const [name, region] of this.#regions) {
      const look = region.look(now);
      const isThere = look.report !== undefined || look.problem !== undefined;
      if (isNamed || isThere) looks.push(look);
      else if (!names.includes(name)) this.#regions.delete(name);
    }
    return looks.sort((a, b) => isNamed ? 0 : a.name < b.name ? -1 : 1);
  }

  /** Unmap all memory. */
  close(): void {
    for (const region of this.#regions.values()) region.close();
    this.#regions.clear();
  }
}
