/**
 * Builds what a guest boots from: a kernel, and an initial RAM file system of two parts. The app
 * part (init script, app, shim) is small, uncompressed and first; the base part behind it is big,
 * compressed and cached. So a changed app costs a bundle and a file copy.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { CulvertError, FILE_ADVICE, kernelError } from "../../ffi/error.ts";
import { buildBase } from "./base.ts";
import { bundleFunctions, bundleGuestApp } from "./bundle.ts";
import { joinBytes } from "../linux/join_bytes.ts";
import { type CpioEntry, cpioFile, encodeCpio } from "./cpio.ts";
import { GUEST_APP_PATH, GUEST_FUNCTIONS_PATH, GUEST_SHIM_PATH, initScript } from "./init.ts";
import { findKernel } from "./kernel.ts";
import type { Log } from "./tools.ts";

/** What {@linkcode buildGuestImage} needs. */
export interface GuestImageOptions {
  /** A bzImage to use instead of Debian's cloud kernel. */
  kernel?: string;
  /** The modules directory that belongs to `kernel`. */
  modules?: string;
  /** Directory for downloads and images; made if missing, safe to remove. */
  cacheDir: string;
  /** Path of the guest app's main module. */
  appEntry: string;
  /** Paths of functions that the image is to have beside those that come with culvert. */
  functions?: readonly string[];
  /** Path of the shim's shared library. */
  shimPath: string;
  /** Receives progress, one line at a time. */
  log: Log;
}

/** What QEMU boots. */
export interface GuestImage {
  /** Path of the kernel (bzImage). */
  kernel: string;
  /** Path of the initial RAM file system. */
  initrd: string;
}

/** How many images of each kind stay in the cache. */
const KEPT = 4;

/**
 * Builds a guest's image, or finds it in the cache. The first build downloads a kernel and
 * compresses 100 MB; after that, a changed app takes about a second and an unchanged one less.
 *
 * @throws {CulvertError} If the app does not bundle, the shim is missing, or a program that this
 * needs is not installed.
 */
export async function buildGuestImage(options: GuestImageOptions): Promise<GuestImage> {
  const { cacheDir, log } = options;
  const app = await appPart(options);
  const kernel = await findKernel(options);
  const base = await buildBase(kernel, cacheDir, log);

  const key = createHash("sha256").update(base).update(app).digest("hex").slice(0, 16);
  const initrd = `${cacheDir}/initrd-${key}.cpio`;
  const now = new Date();
  for (const used of [base, initrd]) await Deno.utime(used, now, now).catch(() => {});
  if (!await Deno.stat(initrd).catch(() => undefined)) {
    await writeBoth(app, base, initrd, cacheDir);
    for (const prefix of ["base-", "initrd-"]) await removeOldest(cacheDir, prefix);
    log(`guest image: app part ${(app.length / 1e3).toFixed(0)} kB`);
  }
  return { kernel: kernel.image, initrd };
}

/** The app part: an archive that the kernel unpacks before the base. */
async function appPart(options: GuestImageOptions): Promise<Uint8Array> {
  const shim = await Deno.readFile(options.shimPath).catch((error) => {
    throw new CulvertError(
      `Cannot put the shim ${options.shimPath} into the image as it cannot be read: build it first`,
      { cause: error },
    );
  });
  return joinBytes(encodeCpio([
    cpioFile("init", initScript(), true),
    cpioFile(GUEST_SHIM_PATH.slice(1), shim, true),
    cpioFile(GUEST_APP_PATH.slice(1), await bundleGuestApp(options.appEntry)),
    ...await functionFiles(options.functions ?? []),
  ]));
}

/** The functions of the image, each bundled into a file that the guest finds by its name. */
async function functionFiles(own: readonly string[]): Promise<CpioEntry[]> {
  const folder = fileURLToPath(new URL("../guest/functions/", import.meta.url));
  const ours = [...Deno.readDirSync(folder)].map(({ name }) => folder + name).sort();
  const files = [...ours, ...own];
  const bundles = await bundleFunctions(files);
  const target = GUEST_FUNCTIONS_PATH.slice(1);
  return files.map((file, i) => cpioFile(`${target}/${functionName(file)}.js`, bundles[i]));
}

/** What a function's file is called in the image, without its ending. */
export function functionName(file: string): string {
  return basename(file).replace(/\.[cm]?[jt]s$/, "");
}

/** Readers never see a half-written image: it gets its name when it is whole. */
async function writeBoth(app: Uint8Array, base: string, to: string, dir: string): Promise<void> {
  const work = await Deno.makeTempFile({ dir, prefix: "image-" });
  try {
    await Deno.writeFile(work, app);
    const source = await Deno.open(base);
    await source.readable.pipeTo((await Deno.open(work, { append: true })).writable);
    await Deno.rename(work, to);
  } catch (error) {
    await Deno.remove(work).catch(() => {});
    throw kernelError(error, `write the image to ${to}`, {
      ...FILE_ADVICE,
      ENOSPC: "free some of the disk, or write elsewhere",
    });
  }
}

async function removeOldest(directory: string, prefix: string): Promise<void> {
  const found: { path: string; time: number }[] = [];
  for await (const { name } of Deno.readDir(directory)) {
    if (!name.startsWith(prefix) || !name.includes(".")) continue;
    const path = `${directory}/${name}`;
    const time = (await Deno.stat(path).catch(() => undefined))?.mtime?.getTime() ?? 0;
    found.push({ path, time });
  }
  found.sort((a, b) => b.time - a.time);
  for (const { path } of found.slice(KEPT)) await Deno.remove(path).catch(() => {});
}
