import { CulvertError } from "../../ffi/error.ts";

/** Debian packages of the programs that are used here. */
const PACKAGES: Readonly<Record<string, string>> = {
  unshare: "util-linux",
  nsenter: "util-linux",
  setpriv: "util-linux",
  mount: "mount",
  "qemu-system-x86_64": "qemu-system-x86",
  lz4: "lz4",
  busybox: "busybox-static",
};

/** Whether a program is installed. */
export async function isInstalled(program: string): Promise<boolean> {
  const args = ["-c", `command -v ${program}`];
  return (await new Deno.Command("sh", { args, stdout: "null" }).output()).success;
}

/**
 * Check that programs are installed.
 *
 * @throws {CulvertError} naming all that are not, and the command that installs them.
 */
export async function requirePrograms(programs: readonly string[]): Promise<void> {
  const missing = [];
  for (const program of programs) if (!await isInstalled(program)) missing.push(program);
  if (missing.length === 0) return;
  const packages = new Set(missing.map((name) => PACKAGES[name]));
  throw new CulvertError(
    `Cannot go on as ${missing.join(", ")} is not installed: on Debian\n` +
      `  apt-get install --no-install-recommends ${[...packages].join(" ")}`,
  );
}
