/**
 * The commands `culvert image` and `culvert qemu`.
 *
 * @module
 */

import { UsageError } from "../../ffi/error.ts";
import { observeHostMachine } from "../vm/host_machine.ts";
import { buildGuestImage } from "../vm/image.ts";
import { planLaunches } from "../vm/launch.ts";
import { libvirtText } from "../vm/libvirt.ts";
import { locateRegions } from "../vm/located_region.ts";
import { IMAGE_USAGE, parseImageOptions } from "../vm/options.ts";
import { parseQemuOptions, QEMU_USAGE } from "../vm/qemu_options.ts";
import { runLaunches } from "../vm/run_qemu.ts";
import { jsonText, shellText } from "../vm/show.ts";

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
 * `culvert qemu`: prints or (`--run`) runs the QEMU command lines of guests, after building their
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
    const machine = observeHostMachine();
    const regions = locateRegions(request, machine);
    const image = await buildGuestImage(request.image);
    const launches = planLaunches(request, regions, image, machine);
    switch (request.output) {
      case "run":
        return await runLaunches(launches);
      case "json":
        return show(jsonText(launches));
      case "libvirt":
        launches[0].advice.forEach(progress); // XML comments may not hold options' dashes
        return show(libvirtText(launches));
      case "shell":
        return show(shellText(launches));
    }
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
