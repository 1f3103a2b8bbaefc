/**
 * The big part of the guest's image, which changes only with Deno, busybox or the kernel: built
 * once, compressed, cached.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { CulvertError } from "../../ffi/error.ts";
import { cpioDirectory, type CpioEntry, cpioFile, cpioLink, encodeCpio } from "./cpio.ts";
import type { GuestKernel } from "./kernel.ts";
import { modulesDep, readModules } from "./modules.ts";
import { type Log, missingTool, runTool, runToolForText } from "./tools.ts";

/** Raise it when the base part's content changes for the same inputs. */
const RECIPE = "1";

const BUSYBOX = "/bin/busybox";

/** Modules that the image holds, with all that they depend on; `culvert.modules=` loads them. */
const IMAGE_MODULES: readonly string[] = [
  "virtio_pci",
  "virtio_net",
  "tun",
  "veth",
  "bridge",
  "irqbypass",
  "vfio",
  "vfio_virqfd",
  "vfio_pci_core",
  "vfio_pci",
  "vfio_iommu_type1",
];

/**
 * Returns the path of the base part, an lz4-compressed cpio archive: busybox, Deno with its
 * libraries, kernel modules. Builds it (some five seconds) unless the cache holds one made from the
 * same files.
 *
 * @throws {CulvertError} If busybox-static or lz4 is not installed, with the command that installs
 * it.
 */
export async function buildBase(kernel: GuestKernel, cacheDir: string, log: Log): Promise<string> {
  const deno = Deno.execPath();
  const libraries = await librariesOf(deno);
  const key = inputsKey([BUSYBOX, deno, ...libraries, kernel.modules ?? ""]);
  const path = `${cacheDir}/base-${key}.lz4`;
  if (await Deno.stat(path).catch(() => undefined)) return path;

  log("building the base image: busybox, Deno, kernel modules; 5 to 15 s, once");
  const entries = [...systemEntries(await busyboxApplets()), fileFrom(deno, "bin/deno")];
  for (const library of libraries) entries.push(fileFrom(library, library.slice(1)));
  entries.push(...await moduleEntries(kernel, log));

  await Deno.mkdir(cacheDir, { recursive: true });
  const work = await Deno.makeTempFile({ dir: cacheDir, prefix: "base-" });
  try {
    const started = performance.now();
    log("compressing the base image");
    // The legacy format is the only lz4 that the kernel unpacks, and lz4 unpacks faster than the
    // others.
    await runTool("lz4", ["-l", "-9", "-q", "-f", "-", work], { input: encodeCpio(entries) });
    await Deno.rename(work, path);
    const { size } = await Deno.stat(path);
    const seconds = (performance.now() - started) / 1000;
    log(`base image: ${(size / 1e6).toFixed(0)} MB, compressed in ${seconds.toFixed(1)} s`);
  } catch (error) {
    await Deno.remove(work).catch(() => {});
    throw error;
  }
  return path;
}

/**
 * Shared libraries that a dynamically linked program loads, as absolute paths, the loader included.
 */
export function parseLdd(output: string): string[] {
  const paths = output.matchAll(/^\s*(?:\S+ => )?(\/\S+) \(0x/gm);
  return [...new Set([...paths].map((match) => match[1]))];
}

async function librariesOf(program: string): Promise<string[]> {
  return parseLdd(await runToolForText("ldd", [program]));
}

/**
 * Files count as unchanged if path, size and modification time are, as for make: hashing 100 MB
 * would take longer.
 */
function inputsKey(paths: string[]): string {
  const hash = createHash("sha256").update(RECIPE).update(IMAGE_MODULES.join());
  for (const path of paths) {
    const found = path === "" ? undefined : statInput(path);
    hash.update(`\n${path} ${found?.size} ${found?.mtime?.getTime()}`);
  }
  return hash.digest("hex").slice(0, 16);
}

function statInput(path: string): Deno.FileInfo {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (path === BUSYBOX && error instanceof Deno.errors.NotFound) throw missingTool(BUSYBOX);
    throw error;
  }
}

async function busyboxApplets(): Promise<string[]> {
  if (!(await runToolForText("ldd", [BUSYBOX]).catch(() => "static")).includes("=>")) {
    return (await runToolForText(BUSYBOX, ["--list"])).trim().split("\n");
  }
  throw new CulvertError(
    `Cannot put ${BUSYBOX} into the image as it is dynamically linked: ` +
      'run "apt-get install busybox-static"',
  );
}

function systemEntries(applets: string[]): CpioEntry[] {
  const directories = ["dev", "etc", "proc", "root", "sys", "tmp"].map(cpioDirectory);
  const links = applets.filter((applet) => applet !== "busybox")
    .map((applet) => cpioLink(`bin/${applet}`, "busybox"));
  return [...directories, fileFrom(BUSYBOX, "bin/busybox"), ...links];
}

function fileFrom(source: string, path: string): CpioEntry {
  return cpioFile(path, Deno.readFileSync(source), true);
}

async function moduleEntries(kernel: GuestKernel, log: Log): Promise<CpioEntry[]> {
  if (kernel.modules === undefined) return [];
  const release = kernel.modules.slice(kernel.modules.lastIndexOf("/") + 1);
  const modules = await readModules(kernel.modules, IMAGE_MODULES, (name) => {
    log(`kernel ${release} has no module ${name} (built in, or part of another): left out`);
  });
  const directory = `lib/modules/${release}`;
  return [
    ...modules.map(({ path, content }) => cpioFile(`${directory}/${path}`, content)),
    cpioFile(`${directory}/modules.dep`, modulesDep(modules)),
  ];
}
