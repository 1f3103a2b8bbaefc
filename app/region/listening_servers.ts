import { readKernelFile } from "../linux/kernel_file.ts";
import { SOCKET_FOLDER } from "../memory/region_name.ts";

/** Of a line of /proc/net/unix: the socket listens. */
const LISTENS = 0x10000;

/** A server that listens for peers of a region with a name. */
export interface ListeningServer {
  /** The region's name. */
  readonly region: string;
  /** The inode of its listening socket, as `/proc/PID/fd` shows it. */
  readonly inode: number;
}

/**
 * The servers of regions with names, of all users, in this network namespace. None is disturbed.
 */
export function listeningServers(): ListeningServer[] {
  return parseListening(readKernelFile("/proc/net/unix"));
}

/**
 * Read the text of /proc/net/unix: address, references, protocol, flags, type, state, inode, path.
 */
export function parseListening(text: string): ListeningServer[] {
  const servers: ListeningServer[] = [];
  for (const line of text.split("\n").slice(1)) {
    const [, , , flags, , , inode, ...path] = line.trim().split(/\s+/);
    const name = path.join(" ");
    if ((parseInt(flags, 16) & LISTENS) === 0) continue;
    if (!name.startsWith(`${SOCKET_FOLDER}/`) || !name.endsWith(".sock")) continue;
    const region = name.slice(SOCKET_FOLDER.length + 1, -".sock".length);
    servers.push({ region, inode: Number(inode) });
  }
  return servers.sort((a, b) => a.region < b.region ? -1 : 1);
}
