import { dirname } from "node:path";
import { check, CulvertError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { type Duties, entrust } from "./keeper.ts";
import { type Account, findUser, SAME, statusOf } from "./owner.ts";

/** CAP_NET_ADMIN and CAP_NET_RAW, of the lower 32 capabilities. */
const CAP_NET = 1 << 12 | 1 << 13;

/** What a thread of ours may do. */
interface Privileges {
  /** Its user. */
  readonly uid: number;
  /** Its effective capabilities, of the first 32. */
  readonly capabilities: number;
}

/** What this thread may do now. */
function privileges(): Privileges {
  const words = new Uint32Array(4);
  check(shim.shim_privileges_get(words), "see what we may do");
  return { uid: words[0], capabilities: words[2] };
}

/**
 * Give up for good what is not needed once all is set up: every capability, in every thread, those
 * that programs could give us (no_new_privs), and the user if another was asked for. What `duties`
 * still need is left to the keeper.
 *
 * @param duties The interfaces and files that the program still has to change later.
 * @throws {CulvertError} if there is no such user, or we may not become that.
 */
export function dropPrivileges(
  { user }: Account,
  duties: Pick<Required<Duties>, "interfaces" | "files">,
): void {
  const { uid, capabilities } = privileges();
  const ids = user === undefined ? undefined : findUser(user);
  const becomes = ids === undefined || ids.uid === uid ? undefined : ids;
  if (becomes && uid !== 0) {
    throw new CulvertError(
      `Cannot become user ${user} as we are user ${uid}: run as root, or without --user`,
    );
  }
  const interfaces = (capabilities & CAP_NET) !== 0 ? duties.interfaces : [];
  const files = duties.files.filter((path) =>
    uid === 0 && statusOf(dirname(path))?.uid !== (becomes?.uid ?? uid)
  );
  if (interfaces.length + files.length > 0) entrust({ interfaces, files });
  const dropped = shim.shim_privileges_drop(becomes?.uid ?? SAME, becomes?.gid ?? SAME);
  check(dropped, "give up privileges in all threads", "");
}

/**
 * Whether root's files are ours to use even without a capability: we are user 0, and not only in a
 * user namespace, where the root folder is nobody's.
 */
export function ownsRootsFiles(): boolean {
  return privileges().uid === 0 && statusOf("/")?.uid === 0;
}

/** The warning for a program that is root without capabilities. */
export const STILL_ROOT =
  "capabilities are given up, but not root's files: --user NAME gives up those too";

/**
 * Give up all permissions of Deno: from now on the program needs only the shim and what that has
 * open. Workers lose the permissions that they have inherited, so their modules must be loaded
 * before. `import` is among them, as Deno grants it for some hosts even under `--deny-import`.
 * Under `-A`, as in tests, nothing is given up.
 */
export function giveUpPermissions(): void {
  if (Deno.permissions.querySync({ name: "env" }).state === "granted") return;
  for (const name of ["read", "write", "net", "env", "sys", "ffi", "import", "run"] as const) {
    Deno.permissions.revokeSync({ name });
  }
}
