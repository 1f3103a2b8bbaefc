import { CulvertError } from "../../ffi/error.ts";
import { requirePrograms } from "./veth_namespace.ts";

/** /run is where `ip netns` and our servers want to write: in the new namespace it is empty, and ours. */
const SCRIPT = 'mount -t tmpfs run /run && exec "$@"';

/** What is tried first, to tell why it does not work. */
const UNSHARE = ["--user", "--map-root-user", "--net", "--mount", "--"];

/**
 * Run a program as root of a new user namespace, with network and mounts of its own: outside it is an
 * ordinary process of this user, and can change nothing there. All that it makes goes with it.
 *
 * @returns its exit status.
 * @throws {CulvertError} if such namespaces may not be made here.
 */
export async function inOwnNamespaces(command: readonly string[]): Promise<number> {
  await requirePrograms(["unshare", "mount"]);
  const probe = await new Deno.Command("unshare", { args: [...UNSHARE, "true"] }).output();
  if (!probe.success) {
    const said = new TextDecoder().decode(probe.stderr).trim();
    throw new CulvertError(
      `Cannot make namespaces of our own as it says: ${said}: some systems forbid them, see ` +
        "`sysctl user.max_user_namespaces kernel.apparmor_restrict_unprivileged_userns`",
    );
  }
  const child = new Deno.Command("unshare", {
    args: [...UNSHARE, "sh", "-c", SCRIPT, "sh", ...command],
    stdin: "null",
  }).spawn();
  // A Ctrl-C reaches it by itself; what is meant for us alone is passed on.
  const pass = () => child.kill("SIGTERM");
  const ignore = () => {};
  Deno.addSignalListener("SIGTERM", pass);
  Deno.addSignalListener("SIGINT", ignore);
  try {
    return (await child.status).code;
  } finally {
    Deno.removeSignalListener("SIGTERM", pass);
    Deno.removeSignalListener("SIGINT", ignore);
  }
}
