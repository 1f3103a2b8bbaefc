import { check, CulvertError } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { HEADER, MAGIC } from "../memory/layout.ts";
import { fileBytes } from "../linux/files.ts";
import type { AreaPort } from "../capture/capture_area.ts";
import type { Peer } from "../ivshmem/peer.ts";
import type { Reconnector } from "./reconnector.ts";

const EAGAIN = 11;

/**
 * Of a file's mode, the sticky bit: hosts have made this file, or had this memory without a name,
 * so it is a region, whatever a guest writes into it, and a host may remove the file.
 */
export const MADE_BY_HOST = 0o1000;

/** Size of a region that is made, unless another is asked for: 64 MiB. */
export const REGION_BYTES: number = 64 * 2 ** 20;

/** Where the ports of a region can be captured. */
export interface CapturePlaces {
  /** The capture area. */
  readonly memory: MappedMemory;
  /** The place of each port there. */
  readonly points: readonly number[];
}

/** The memory of a region that is this host's alone. */
export interface HostedMemory {
  /** All of it, mapped; maybe as the last host left it. */
  readonly memory: MappedMemory;
  /** Where it is, for people. */
  readonly path: string;
  /**
   * Our connection to the server, if there is one. The code that polls it closes the eventfds of
   * peers that have left.
   */
  readonly peer?: Peer;
  /**
   * What others have done to its file: cut it short, so that its content is lost, or put another
   * file in its place, so that new guests do not find it. A memfd is sealed, and has no path.
   */
  trouble?(): "cut" | "replaced" | undefined;
  /**
   * Makes what finds a server again when this one is gone; left out if there was none. `log` is
   * told of what prevents it.
   */
  reconnector?(log: (line: string) => void): Reconnector;
  /** Finds places for ports in the capture area; undefined if there is no such area. */
  capture?(ports: readonly AreaPort[]): CapturePlaces | undefined;
  /**
   * Unmap, unlock and leave; a file that hosts have made is removed if nobody has it mapped. No
   * lcore may be using it any more.
   */
  close(): void;
}

/**
 * Lock an open region's file for this host. The kernel unlocks it when the file is closed, at the
 * latest when the process ends.
 *
 * @throws {CulvertError} if another host has it.
 */
export function lockRegion(fd: number, region: string): void {
  const locked = shim.shim_file_lock(fd);
  if (locked === -EAGAIN) {
    throw new CulvertError(
      `Cannot host region ${region} as another host has it: stop that one, or use another --region`,
    );
  }
  check(locked, `lock region ${region}`);
}

/**
 * See that memory is empty, or was a region before.
 *
 * @throws {CulvertError} if it holds something else.
 */
export function checkIsRegion(memory: MappedMemory, region: string): void {
  const begins = memory.u32[HEADER.MAGIC_0];
  if (begins === 0 || begins === MAGIC[0]) return;
  throw new CulvertError(
    `Cannot host region ${region} as it holds something else: name another, or remove it`,
  );
}

/** Whether the file of a map has less than `bytes`, or had when a thread touched it. */
export function isCut(map: number, fd: number, bytes: number, region: string): boolean {
  return shim.shim_map_is_lost(map) === 1 || fileBytes(fd, region) < bytes;
}

/** What is wrong with a region that is there, if another size was asked for. */
export function wrongSize(region: string, found: number, wanted: number): CulvertError {
  return new CulvertError(
    `Cannot host region ${region} as it has ${found} bytes where ${wanted} are wanted: use ` +
      `--size ${found}, or remove it`,
  );
}
