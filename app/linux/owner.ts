import { check, CulvertError } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";

/** `SHIM_SAME_USER` in shim/shim.h: a user or group that stays as it is. */
export const SAME = 0xffffffff;

/** The user and the group of a program, as its command line names them. */
export interface Account {
  /** The user that it becomes once it is set up: a name, or a number. */
  readonly user?: string;
  /** The group that may use its sockets and files, too. */
  readonly group?: string;
}

/** The user and the group that may open a socket or a file. */
export interface Owner {
  /** Its user; {@linkcode SAME} for ours. */
  readonly uid: number;
  /** Its group; {@linkcode SAME} for ours. */
  readonly gid: number;
  /** Its mode: 0600, or 0660 where a group was asked for. */
  readonly mode: number;
}

/** A user's own ids. */
export interface UserIds {
  /** The user's id. */
  readonly uid: number;
  /** The id of the user's primary group. */
  readonly gid: number;
}

/**
 * Look a user up, by name or number.
 *
 * @throws {CulvertError} if there is none.
 */
export function findUser(user: string): UserIds {
  const ids = new Uint32Array(2);
  if (shim.shim_user_find(cString(user), ids) === 0) return { uid: ids[0], gid: ids[1] };
  if (isId(user)) return { uid: Number(user), gid: Number(user) };
  throw new CulvertError(`Cannot become user ${user} as there is none: see \`getent passwd\``);
}

/**
 * Look a group up, by name or number.
 *
 * @throws {CulvertError} if there is none.
 */
export function findGroup(group: string): number {
  const id = new Uint32Array(1);
  if (shim.shim_group_find(cString(group), id) === 0) return id[0];
  if (isId(group)) return Number(group);
  throw new CulvertError(`Cannot give to group ${group} as there is none: see \`getent group\``);
}

function isId(text: string): boolean {
  return /^\d{1,9}$/.test(text);
}

/**
 * The owner of the sockets and files of an account: its user alone, mode 0600; with a group, mode
 * 0660.
 *
 * @throws {CulvertError} if user or group do not exist.
 */
export function ownerFor({ user, group }: Account): Owner {
  const ids = user === undefined ? { uid: SAME, gid: SAME } : findUser(user);
  return group === undefined
    ? { ...ids, mode: 0o600 }
    : { uid: ids.uid, gid: findGroup(group), mode: 0o660 };
}

/**
 * Give what lies at a path to its owner: a socket, or a file.
 *
 * @throws {ShimError} if we may not.
 */
export function givePath(path: string, owner: Owner): void {
  const { uid, gid, mode } = owner;
  check(shim.shim_path_give(cString(path), uid, gid, mode), `give ${path} away`, ADVICE);
}

/**
 * Give an open file to its owner.
 *
 * @throws {ShimError} if we may not.
 */
export function giveFile(fd: number, owner: Owner, what: string): void {
  const { uid, gid, mode } = owner;
  check(shim.shim_fd_give(fd, uid, gid, mode), `give ${what} away`, ADVICE);
}

const ADVICE = "run as root, or leave out --user and take a --group that you are in";

/** What a file is; at a path a symbolic link is not followed. */
export interface FileStatus {
  /** Its file system. */
  readonly device: number;
  /** Its number there: another one if it was removed and made again. */
  readonly inode: number;
  /** Kind and permissions. */
  readonly mode: number;
  /** Its owner. */
  readonly uid: number;
  /** Its group. */
  readonly gid: number;
  /** How many names it has: none for a memfd, or a file that was removed. */
  readonly names: number;
  /** Pages of 4 KiB that it has: fewer than its size tells, if it has holes. */
  readonly pages: number;
}

const STATUS_WORDS = 9;

/** Look at a path; undefined if nothing is there, or it cannot be seen. */
export function statusOf(path: string): FileStatus | undefined {
  const words = new Uint32Array(STATUS_WORDS);
  return shim.shim_path_status(cString(path), words) < 0 ? undefined : statusFrom(words);
}

/**
 * Look at an open file.
 *
 * @throws {ShimError} if it is not open.
 */
export function statusOfFile(fd: number, what: string): FileStatus {
  const words = new Uint32Array(STATUS_WORDS);
  check(shim.shim_fd_status(fd, words), `look at ${what}`);
  return statusFrom(words);
}

function statusFrom(words: Uint32Array): FileStatus {
  return {
    device: words[0] + words[1] * 2 ** 32,
    inode: words[2] + words[3] * 2 ** 32,
    mode: words[4],
    uid: words[5],
    gid: words[6],
    names: words[7],
    pages: words[8],
  };
}

/** Whether both are the same file; false if one is not there. */
export function isSameFile(one?: FileStatus, other?: FileStatus): boolean {
  return one !== undefined && one.inode === other?.inode && one.device === other.device;
}
