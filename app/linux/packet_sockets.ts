import { CulvertError } from "../../ffi/error.ts";
import { readKernelFile } from "./kernel_file.ts";

/** SOCK_RAW, and ETH_P_ALL in hexadecimal: a socket that receives all frames as they are. */
const RAW = "3", ALL = "0003";

/**
 * How many packet sockets receive all frames of an interface.
 *
 * @param index The interface's number.
 * @param sockets What `/proc/net/packet` says of this network namespace.
 */
export function receiversAt(index: number, sockets: string = readSockets()): number {
  return sockets.split("\n").map((line) => line.trim().split(/\s+/))
    .filter(([, , type, protocol, interfaceIndex]) =>
      type === RAW && protocol === ALL && interfaceIndex === `${index}`
    ).length;
}

/**
 * What the kernel says of packet sockets; empty if it cannot be read, as this is only for the log.
 */
function readSockets(): string {
  try {
    return readKernelFile("/proc/self/net/packet");
  } catch (error) {
    if (error instanceof CulvertError) return "";
    throw error;
  }
}
