/**
 * The commands `culvert image` and `culvert qemu`.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { SHIM_PATH } from "../../ffi/shim.ts";
import { observeHostMachine } from "../vm/host_machine.ts";
import { buildGuestImage, type GuestImageOptions } from "../vm/image.ts";
import { planLaunches } from "../vm/launch.ts";
import { libvirtText } from "../vm/libvirt.ts";
import { locateRegions } from "../vm/located_region.ts";
import { runLaunches } from "../vm/run_qemu.ts";
import { jsonText, shellText } from "../vm/show.ts";
import type { Parsed } from "./options.ts";
import { functionFiles, qemuRequest } from "./qemu_request.ts";
import type { IMAGE, QEMU } from "./tables/vm.ts";

/** The program's folder. The module that a VM boots is found there: nothing imports it. */
const APP = new URL("../", import.meta.url);

/** How to build an image, as the command line of `culvert image` or `culvert qemu` asks for it. */
function imageOptions({ values }: Pick<Parsed<typeof IMAGE>, "values">): GuestImageOptions {
  return {
    kernel: values.kernel,
    modules: values.modules,
    cacheDir: values.cache ?? cacheFolder(),
    appEntry: values.app ?? fileURLToPath(new URL("vm_guest.ts", APP)),
    shimPath: values.shim ?? SHIM_PATH,
    log: progress,
  };
}

/** Where images are kept: with a clone, else among the user's caches. */
function cacheFolder(): string {
  if (import.meta.url.endsWith(".ts")) return fileURLToPath(new URL("../.cache/vm", APP));
  const caches = Deno.env.get("XDG_CACHE_HOME") || `${Deno.env.get("HOME") ?? ""}/.cache`;
  return `${caches}/culvert/vm`;
}

/** `culvert image`: builds a guest's image and prints where its two files are; returns 0. */
export async function imageCommand(parsed: Parsed<typeof IMAGE>): Promise<number> {
  const image = await buildGuestImage(imageOptions(parsed));
  return await show(`kernel ${image.kernel}\ninitrd ${image.initrd}\n`);
}

/**
 * `culvert qemu`: prints or (`--run`) runs the QEMU command lines of guests, after building their
 * image.
 *
 * @returns 0, or with `--run` the guest command's status.
 */
export async function qemuCommand(parsed: Parsed<typeof QEMU>): Promise<number> {
  const request = qemuRequest(parsed);
  const machine = observeHostMachine();
  const regions = locateRegions(request, machine);
  const functions = functionFiles(parsed.rest);
  const image = await buildGuestImage({ ...imageOptions(parsed), functions });
  const launches = planLaunches(request, regions, image, machine);
  switch (request.output) {
    case "run":
      return await runLaunches(launches);
    case "json":
      return await show(jsonText(launches));
    case "libvirt":
      launches[0].advice.forEach(progress); // XML comments may not hold options' dashes
      return await show(libvirtText(launches));
    case "shell":
      return await show(shellText(launches));
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
