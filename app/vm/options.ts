/**
 * The command line of `culvert image`, which is also a part of that of `culvert qemu`.
 *
 * @module
 */

import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { UsageError } from "../../ffi/error.ts";
import type { GuestImageOptions } from "./image.ts";
import type { Log } from "./tools.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Help on {@linkcode IMAGE_OPTIONS}. */
export const IMAGE_HELP =
  `  --kernel FILE    boot this bzImage instead of Debian's cloud kernel, which is
                   downloaded with apt-get but not installed
  --modules DIR    the modules of --kernel, e.g. /lib/modules/RELEASE
  --app FILE       the guest app's main module (default app/vm_guest.ts)
  --shim FILE      the shim (default .cache/shim/libculvert.so)
  --cache DIR      where downloads and images are kept (default .cache/vm)
  --help           show this text`;

/** Help of `culvert image`. */
export const IMAGE_USAGE = `culvert image - build what a guest VM boots

usage: culvert image [options]

Prints "kernel PATH" and "initrd PATH". The first build takes some seconds and a
26 MB download; later ones only bundle the app again.

${IMAGE_HELP}
`;

/** The options of `culvert image`. */
export const IMAGE_OPTIONS = {
  kernel: { type: "string" },
  modules: { type: "string" },
  app: { type: "string", default: `${ROOT}app/vm_guest.ts` },
  shim: { type: "string", default: `${ROOT}.cache/shim/libculvert.so` },
  cache: { type: "string", default: `${ROOT}.cache/vm` },
  help: { type: "boolean", default: false },
} as const satisfies ParseArgsOptionsConfig;

/** What `culvert image` was asked for; `undefined` if for its help. */
export function parseImageOptions(args: string[], log: Log): GuestImageOptions | undefined {
  const { values } = parse(() => parseArgs({ args, options: IMAGE_OPTIONS }));
  return values.help ? undefined : imageOptions(values, log);
}

/** Values of {@linkcode IMAGE_OPTIONS}. */
export type ImageValues = Record<"app" | "shim" | "cache", string> & {
  kernel?: string;
  modules?: string;
};

/** How to build an image, from the values of {@linkcode IMAGE_OPTIONS}. */
export function imageOptions(values: ImageValues, log: Log): GuestImageOptions {
  return {
    kernel: values.kernel,
    modules: values.modules,
    cacheDir: values.cache,
    appEntry: values.app,
    shimPath: values.shim,
    log,
  };
}

/**
 * Run a parser of `node:util`, which reports what it does not understand as TypeErrors whose messages
 * are meant for users.
 *
 * @throws {UsageError} With such a message.
 */
export function parse<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof TypeError) {
      throw new UsageError(`Cannot read the command line: ${error.message}`);
    }
    throw error;
  }
}
