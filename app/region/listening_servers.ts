import { readKernelFile } from "../linux/kernel_file.ts";
import { SOCKET_FOLDER } from "../memory/region_name.ts";

/** Of a line of /proc/net/unix: the socket listens. */
const LISTENS = 0x10000;

/** A UNIX socket where somebody listens. */
export interface ListeningSocket {
  /** The part of its path between the folder and the ending that were asked for. */
  readonly path: string;
  /** Its inode, as `/proc/PID/fd` shows it. */
  readonly inode: number;
}

/** A server that listens for peers of a region with a name. */
export interface ListeningServer {
  /** The region's name. */
  readonly region: string;
  /** The inode of its listening socket, as `/proc/PID/fd` shows it. */
  readonly inode: number;
}

/**
 * The servers of regions with names, of all users, in this network namespace. No server notices it.
 */
export function listeningServers(): ListeningServer[] {
  return listeningIn(SOCKET_FOLDER, ".sock").map(({ path, inode }) => ({ region: path, inode }));
}

/** The names of regions that have a server, for a user who has misspelled one. */
export function regionNames(): string {
  return listeningServers().map(({ region }) => region).join(", ") || "none";
}

/** The sockets that listen at `folder`/*`ending`, in order. */
export function listeningIn(folder: string, ending: string): ListeningSocket[] {
  return parseListening(readKernelFile("/proc/net/unix"), folder, ending);
}

/**
 * Read the text of /proc/net/unix: address, references, protocol, flags, type, state, inode, path.
 */
export function parseListening(text: string, folder: string, ending: string): ListeningSocket[] {
  const sockets: ListeningSocket[] = [];
  for (const line of text.split("\n").slice(1)) {
    const [, , , flags, , , inode, ...words] = line.trim().split(/\s+/);
    const name = words.join(" ");
    if ((parseInt(flags, 16) & LISTENS) === 0) continue;
    if (!name.startsWith(`${folder}/`) || !name.endsWith(ending)) continue;
    const path = name.slice(folder.length + 1, -ending.length);
    sockets.push({ path, inode: Number(inode) });
  }
  return sockets.sort((a, b) => a.path < b.path ? -1 : 1);
}
