import { constants } from "node:os";

/** A failure that a user can act on: one clear line, exit status 1. */
export class CulvertError extends Error {
  /** How a stack trace calls it. */
  override name = "CulvertError";

  /** What went wrong, for a caller that acts on it: an errno's name, or a word of ours. */
  readonly code?: string;

  /** Of a message `Cannot ACTION as FOUND: WANTED`. */
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

/** A call into the shim that the kernel refused. */
export class ShimError extends CulvertError {
  /** How a stack trace calls it. */
  override name = "ShimError";
  /** The errno's name, such as `ENOENT`. */
  declare readonly code: string;

  /**
   * Its message is `Cannot open TAP tap0 as the kernel says EBUSY`, and the advice behind a colon.
   *
   * @param action What was being done, with the path or interface: `open TAP tap0`.
   * @param errno The positive errno value.
   * @param advice What to do next, if it is known.
   */
  constructor(action: string, readonly errno: number, advice = adviceFor(errno)) {
    const code = errnoName(errno);
    super(`Cannot ${action} as the kernel says ${code}${advice && `: ${advice}`}`, { code });
  }
}

const NAMES = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));
NAMES.set(11, "EAGAIN"); // has a second name
NAMES.set(77, "EBADFD"); // node:os does not list these
NAMES.set(109, "ETOOMANYREFS");

function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

function adviceFor(errno: number): string {
  switch (errnoName(errno)) {
    case "EPERM":
    case "EACCES":
      return "run as root, or grant CAP_NET_RAW (packet ports) and CAP_NET_ADMIN (TAPs, promiscuity)";
    case "ENOENT":
    case "ENODEV":
    case "ENXIO":
      return "it does not exist; check the name";
    case "ENOMEM":
    case "ENOSPC":
      return "make it smaller, or free memory";
    case "EMFILE":
    case "ENFILE":
      return "raise the limit of open files (ulimit -n)";
    default:
      return "";
  }
}

/**
 * Pass on a shim result that is not negative.
 *
 * @throws {ShimError} if it is `-errno`.
 */
export function check(result: number, action: string, advice?: string): number {
  if (result < 0) throw new ShimError(action, -result, advice);
  return result;
}
