/**
 * Finds the guest's kernel: a file of yours, or the one of Debian's cloud kernel package, unpacked
 * into the cache without being installed.
 *
 * @module
 */

import { CulvertError } from "../../ffi/error.ts";
import { type Log, runTool, runToolForText } from "./tools.ts";

/** A bootable kernel and the modules that belong to it. */
export interface GuestKernel {
  /** Path of the bzImage. */
  image: string;
  /** Path of its modules directory, whose last part is what `uname -r` says; none if left out. */
  modules?: string;
}

/** What {@linkcode findKernel} needs to know. */
export interface KernelOptions {
  /** A bzImage to use instead of Debian's. */
  kernel?: string;
  /** The modules directory that belongs to `kernel`, e.g. `/lib/modules/6.1.0-56-cloud-amd64`. */
  modules?: string;
  /** Directory for what is downloaded. */
  cacheDir: string;
  /** Receives progress. */
  log: Log;
}

/**
 * This empty package depends on the newest cloud kernel: few drivers, all the ones that a QEMU
 * guest needs.
 */
const META_PACKAGE = "linux-image-cloud-amd64";

/**
 * Returns the kernel to boot; downloads it (26 MB) if the cache has none. A cached kernel is used
 * for ever: remove the cache directory to get a newer one.
 *
 * @throws {CulvertError} If a given path is missing, `modules` comes without `kernel`, or apt or
 * dpkg fails.
 */
export async function findKernel(options: KernelOptions): Promise<GuestKernel> {
  if (options.kernel !== undefined) return await givenKernel(options.kernel, options.modules);
  if (options.modules !== undefined) {
    throw new CulvertError(
      `Cannot use modules from ${options.modules} as no kernel is given: pass their kernel too`,
    );
  }
  const unpacked = `${options.cacheDir}/kernel`;
  return await unpackedKernel(unpacked) ?? await downloadKernel(unpacked, options);
}

async function givenKernel(kernel: string, modules?: string): Promise<GuestKernel> {
  if (!await exists(kernel)) {
    throw new CulvertError(
      `Cannot boot ${kernel} as it does not exist: pass the path of a bzImage`,
    );
  }
  if (modules === undefined) return { image: kernel };
  if (!await exists(`${modules}/kernel`)) {
    throw new CulvertError(
      `Cannot take modules from ${modules} as it has no "kernel" directory: ` +
        "pass /lib/modules/RELEASE",
    );
  }
  return { image: kernel, modules: modules.replace(/\/+$/, "") };
}

async function unpackedKernel(directory: string): Promise<GuestKernel | undefined> {
  if (!await exists(directory)) return undefined;
  for await (const { name } of Deno.readDir(`${directory}/boot`)) {
    if (!name.startsWith("vmlinuz-")) continue;
    const release = name.slice("vmlinuz-".length);
    const lib = await exists(`${directory}/lib`) ? "lib" : "usr/lib";
    return {
      image: `${directory}/boot/${name}`,
      modules: `${directory}/${lib}/modules/${release}`,
    };
  }
  throw new CulvertError(
    `Cannot find vmlinuz in ${directory}/boot: remove ${directory} and try again`,
  );
}

async function downloadKernel(unpacked: string, options: KernelOptions): Promise<GuestKernel> {
  const name = await kernelPackage();
  await Deno.mkdir(options.cacheDir, { recursive: true });
  const work = await Deno.makeTempDir({ dir: options.cacheDir, prefix: "kernel-" });
  try {
    options.log(`downloading ${name} (26 MB), once: it takes 5 s or more`);
    // As root, apt would try to download as user _apt, who may not write here.
    await runTool("apt-get", ["-q", "-o", "APT::Sandbox::User=root", "download", name], {
      cwd: work,
    });
    const debs = [...Deno.readDirSync(work)].filter((entry) => entry.name.endsWith(".deb"));
    options.log(`unpacking ${debs[0].name}`);
    await runTool("dpkg", ["-x", `${work}/${debs[0].name}`, `${work}/root`]);
    await publish(`${work}/root`, unpacked);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  const kernel = await unpackedKernel(unpacked);
  if (!kernel) {
    throw new CulvertError(`Cannot find ${unpacked}, which was made just now: was it removed?`);
  }
  return kernel;
}

async function kernelPackage(): Promise<string> {
  const text = await runToolForText("apt-cache", ["depends", META_PACKAGE]).catch((error) => {
    throw new CulvertError(
      `Cannot find a kernel as Debian's ${META_PACKAGE} is not to be had: run "apt-get update", ` +
        "or pass a kernel of yours",
      { cause: error },
    );
  });
  const match = text.match(/Depends: (linux-image-\S+)/);
  if (match) return match[1];
  throw new CulvertError(
    `Cannot find a kernel as apt does not know ${META_PACKAGE}: run "apt-get update", ` +
      "or pass a kernel of yours",
  );
}

/** Moves a finished directory into place; if another process was first, its directory stays. */
async function publish(from: string, to: string): Promise<void> {
  try {
    await Deno.rename(from, to);
  } catch (error) {
    if (!await exists(to)) throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
