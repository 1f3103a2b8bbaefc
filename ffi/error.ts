import { constants } from "node:os";

/** A failure that a user can act on: one clear line, exit status 1. */
export class CulvertError extends Error {
  /** How a stack trace calls it. */
  override name = "CulvertError";

  /** What went wrong, for a caller that acts on it: an errno's name, or a word of ours. */
  readonly code?: string;

  /** An error whose message reads `Cannot ACTION as FOUND: WANTED`. */
  constructor(message: string, options: ErrorOptions & { readonly code?: string } = {}) {
    super(message, options);
    this.code = options.code;
  }
}

/** A command line that cannot be carried out as written: one clear line, exit status 2. */
export class UsageError extends CulvertError {
  /** How a stack trace calls it. */
  override name = "UsageError";
}

/**
 * What a user may do next: one text, or a text for each errno's name. The same errno means one
 * thing for a file and another for an interface, so the caller passes the advice that fits its
 * action.
 */
export type Advice = string | Readonly<Record<string, string>>;

const NOT_OURS = "see whose it is (ls -ld), and become that user, join the group, or run as root";

/** Advice for an action on a path that the kernel has refused. */
export const FILE_ADVICE: Readonly<Record<string, string>> = {
  EACCES: NOT_OURS,
  EPERM: NOT_OURS,
  EISDIR: "it is a folder; name a file in it",
  ELOOP: "it is a symbolic link; name the file itself",
  ENAMETOOLONG: "use a shorter path: a socket's has at most 107 bytes, a file's name 255",
  ENOENT: "there is no such file, or no folder for it; check the path",
  ENOTDIR: "a part of the path is no folder; check the path",
  ENXIO: "it is a socket where nobody answers; remove it",
  EROFS: "it is on a file system that is mounted read-only; use another path",
};

const NOT_GRANTED =
  "run as root, or grant CAP_NET_RAW (packet ports) and CAP_NET_ADMIN (TAPs, promiscuity)";

const NO_INTERFACE = "there is no interface of that name here; ip link lists them";

/** Advice for an action on an interface or a packet socket that the kernel has refused. */
export const INTERFACE_ADVICE: Readonly<Record<string, string>> = {
  EPERM: NOT_GRANTED,
  EACCES: NOT_GRANTED,
  ENODEV: NO_INTERFACE,
  ENXIO: NO_INTERFACE,
};

/** A call into the shim that the kernel refused. */
export class ShimError extends CulvertError {
  /** How a stack trace calls it. */
  override name = "ShimError";
  /** The errno's name, such as `ENOENT`. */
  declare readonly code: string;

  /**
   * Its message is `Cannot open TAP tap0 as the kernel says EBUSY`, then a colon and the advice, if
   * there is any.
   *
   * @param action What was being done, with the path or interface: `open TAP tap0`.
   * @param errno The positive errno value.
   * @param advice What to do next, if it is known.
   */
  constructor(action: string, readonly errno: number, advice: Advice = {}) {
    const code = errnoName(errno);
    const next = typeof advice === "string" ? advice : advice[code] ?? ANYWHERE[code] ?? "";
    super(`Cannot ${action} as the kernel says ${code}${next && `: ${next}`}`, { code });
  }
}

const NAMES = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));
NAMES.set(11, "EAGAIN"); // EWOULDBLOCK has the same number
NAMES.set(77, "EBADFD"); // node:os does not list these
NAMES.set(109, "ETOOMANYREFS");

/** The name of a positive errno: `ENOENT`. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

/** Advice on errnos that mean the same for every action. */
const ANYWHERE: Readonly<Record<string, string>> = {
  ENOMEM: "make it smaller, or free memory",
  ENOSPC: "make it smaller, or free memory",
  EFBIG: "raise the limit of file sizes (ulimit -f), or make it smaller",
  EMFILE: "raise the limit of open files (ulimit -n)",
  ENFILE: "raise the limit of open files (ulimit -n)",
};

/**
 * Return the result of a shim's function if it is not negative.
 *
 * @throws {ShimError} if it is `-errno`.
 */
export function check(result: number, action: string, advice?: Advice): number {
  if (result < 0) throw new ShimError(action, -result, advice);
  return result;
}

/**
 * Turn an error that Deno threw because the kernel refused something into a {@linkcode ShimError}.
 *
 * @param action What was being done; if left out, `use PATH`, with the path in Deno's message.
 * @param advice What to do next.
 * @returns `error` itself if it does not come from the kernel.
 */
export function kernelError(
  error: unknown,
  action?: string,
  advice: Advice = FILE_ADVICE,
): unknown {
  if (!(error instanceof Error && "code" in error)) return error;
  const errno = constants.errno[error.code as keyof typeof constants.errno];
  const path = /: \w+ '(.+)'$/.exec(error.message)?.[1];
  if (errno === undefined || (action ?? path) === undefined) return error;
  return new ShimError(action ?? `use ${path}`, errno, advice);
}
