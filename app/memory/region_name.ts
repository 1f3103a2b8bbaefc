import { CulvertError } from "../../ffi/error.ts";

/** Where the sockets of regions that have a name are. */
export const SOCKET_FOLDER = "/run/culvert";

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
  if (/^[\w.-]{65,}$/.test(name)) {
    throw new CulvertError(
      `Cannot use region "${name}" as its name has ${name.length} characters: at most 64`,
    );
  }
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
