import { UsageError } from "../../../ffi/error.ts";

/** Where the folder of each host's control is. */
export const CONTROL_FOLDER = "/run/culvert/dpdk";
/** What is behind such a folder in the path of its socket. */
export const CONTROL_SOCKET = "/dpdk_telemetry.v2";

/**
 * Where the socket of a host's control is, in the manner of DPDK: its clients find it as file
 * prefix NAME, with RUNTIME_DIRECTORY=/run/culvert.
 *
 * @throws {UsageError} if that is no name.
 */
export function controlPath(name: string): string {
  if (!/^[\w.-]{1,48}$/.test(name) || /^\.+$/.test(name)) {
    throw new UsageError(
      `Cannot use control ${name} as it is no name (letters, digits, ".", "_", "-"): write edge`,
    );
  }
  return `${CONTROL_FOLDER}/${name}${CONTROL_SOCKET}`;
}
