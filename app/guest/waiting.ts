import type { Attachment } from "./attachment.ts";
import { CulvertError } from "../../ffi/error.ts";
import { SILENT_SERVER_CODE } from "../ivshmem/greeting.ts";
import { RegionNotReadyError } from "../memory/region.ts";
import { isPath } from "../memory/region_name.ts";
import type { GuestPlatform } from "./guest_platform.ts";
import type { RegionLink, RegionSource } from "./region_link.ts";

/**
 * Milliseconds until a guest says what it waits for: a host that is started again is there sooner.
 */
const TELL_MS = 1000;

/** Milliseconds without a host after which a VM may have memory that no host will ever use. */
const LOST_MS = 10_000;

/**
 * What a guest says while there is no region. `names` gives the regions that there are; in a VM,
 * the ivshmem devices.
 */
function missing(source: RegionSource, names: () => readonly string[]): string {
  if ("pci" in source) {
    const found = names().join(", ") || "none";
    return `waiting for ivshmem device ${source.pci}; there are ${found}`;
  }
  const waiting = `waiting for a host of region ${source.region}`;
  if (isPath(source.region)) return waiting;
  return `${waiting}; there are ${names().join(", ") || "none"}`;
}

/**
 * Open the region, or tell what is waited for.
 *
 * @param isWaiting Whether the guest was attached before, or waits already: then it also waits for
 * a server that is there and does not answer yet. Else somebody may have named the wrong socket.
 * @returns undefined if there is no region yet.
 * @throws {CulvertError} if it may not be opened.
 */
export function openOrTell(
  source: RegionSource,
  platform: Pick<GuestPlatform, "openLink" | "regionNames">,
  isWaiting: boolean,
  tell: (line: string) => void,
): RegionLink | undefined {
  try {
    const link = platform.openLink();
    if (link === undefined) tell(missing(source, platform.regionNames));
    return link;
  } catch (error) {
    const isSilent = error instanceof CulvertError && error.code === SILENT_SERVER_CODE;
    if (!isWaiting || !isSilent) throw error;
    tell(`waiting for the server: ${error.message}`);
  }
}

/**
 * What a guest says while it cannot have a place in the region, because of `error`; undefined as
 * long as that is nothing to worry about.
 *
 * @param waited Milliseconds until now.
 * @param isVm Whether the region is a device of this VM, which a new host's memory does not get
 * into.
 */
export function waitedFor(error: CulvertError, waited: number, isVm: boolean): string | undefined {
  if (waited < TELL_MS) return undefined;
  if (isVm && error instanceof RegionNotReadyError && waited >= LOST_MS) {
    return `no host has come to this VM's memory for ${
      LOST_MS / 1000
    } s: if one is at work for it, ` +
      "that has made new memory, so boot this VM again";
  }
  return `waiting for the host: ${error.message}`;
}

/** Why a guest forwards no more. */
export function reasonOf(
  { isAskedToLeave, isTakenForDead }: Pick<Attachment, "isAskedToLeave" | "isTakenForDead">,
  isStopping: boolean,
): string {
  if (isStopping) return "stopping";
  if (isAskedToLeave) return "asked to leave";
  if (isTakenForDead) return "the host had given us up";
  return "the host is gone or has started anew";
}
