import { CulvertError } from "../../ffi/error.ts";
import { WITH_US } from "./program.ts";
import { requirePrograms } from "./required_programs.ts";

/** Servers write to /run. In the new mount namespace it is empty, and belongs to the user. */
const SCRIPT = 'mount -t tmpfs run /run && exec "$@"';

/** The options of `unshare`. They are tried with `true` first, to tell why they do not work. */
const UNSHARE = ["--user", "--map-root-user", "--net", "--mount", "--"];

/**
 * Run a program as root of a new user namespace, with a network and mounts of its own. Outside of
 * them it is an ordinary process of this user. What it makes there is removed when it ends.
 *
 * @returns its exit status.
 * @throws {CulvertError} if such namespaces may not be made here.
 */
export async function inOwnNamespaces(command: readonly string[]): Promise<number> {
  await requirePrograms(["unshare", "mount", "setpriv"]);
  const probe = await new Deno.Command("unshare", { args: [...UNSHARE, "true"] }).output();
  if (!probe.success) {
    const said = new TextDecoder().decode(probe.stderr).trim();
    throw new CulvertError(
      `Cannot make namespaces of our own: ${said}: some systems forbid them, see ` +
        "`sysctl user.max_user_namespaces kernel.apparmor_restrict_unprivileged_userns`",
    );
  }
  const child = new Deno.Command("unshare", {
    args: [...UNSHARE, ...WITH_US, "sh", "-c", SCRIPT, "sh", ...command],
    stdin: "null",
  }).spawn();
  // A Ctrl-C or a closed terminal may reach the program directly, too: a second signal does no
  // harm.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => child.kill(signal));
  }
  return (await child.status).code;
}
