import { UsageError } from "../../../ffi/error.ts";

/** The folder that has a folder for the control socket of each host. */
export const CONTROL_FOLDER = "/run/culvert/dpdk";
/** The end of a control socket's path, behind the host's folder. */
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
