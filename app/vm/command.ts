/**
 * The commands `culvert image` and `culvert qemu`.
 *
 * @module
 */

import { UsageError } from "../../ffi/error.ts";
import { locateRegion } from "../memory/region_file.ts";
import { buildGuestImage } from "./image.ts";
import { IMAGE_USAGE, parseImageOptions, parseQemuOptions, QEMU_USAGE } from "./options.ts";
import { qemuArguments, shellQuote } from "./qemu.ts";
import { runQemu } from "./run_qemu.ts";

/**
 * `culvert image`: builds a guest's image and prints where its two files are.
 *
 * @param args The arguments after `image`; `--help` explains them.
 * @returns 0, 1 if the image cannot be built, 2 if `args` cannot be understood. Messages are on
 * stderr.
 */
export function imageCommand(args: string[]): Promise<number> {
  return reportErrors(async () => {
    const options = parseImageOptions(args, progress);
    if (!options) return show(IMAGE_USAGE);
    const image = await buildGuestImage(options);
    return show(`kernel ${image.kernel}\ninitrd ${image.initrd}\n`);
  });
}

/**
 * `culvert qemu`: prints or (`--run`) runs the QEMU command line of a guest, after building its
 * image.
 *
 * @param args The arguments after `qemu`; `--help` explains them.
 * @returns 0, or with `--run` the guest command's status; 1 if something fails, 2 if `args` cannot
 * be understood.
 */
export function qemuCommand(args: string[]): Promise<number> {
  return reportErrors(async () => {
    const request = parseQemuOptions(args, progress);
    if (!request) return show(QEMU_USAGE);
    const { path: regionPath, bytes: regionBytes } = locateRegion(request.region);
    const image = await buildGuestImage(request.image);
    const words = qemuArguments({ ...request.machine, image, regionPath, regionBytes });
    if (request.run) return await runQemu(request.program, words);
    return show(shellQuote([request.program, ...words]) + "\n");
  });
}

async function reportErrors(body: () => Promise<number>): Promise<number> {
  try {
    return await body();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    if (error instanceof UsageError) console.error("For help: --help");
    return error instanceof UsageError ? 2 : 1;
  }
}

function progress(line: string): void {
  console.error(line);
}

async function show(text: string): Promise<number> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
  return 0;
}
