/**
 * Picks kernel modules, with what they depend on, out of an unpacked kernel package. Such a package
 * has no `modules.dep` (its install script makes it), so dependencies are read from the modules
 * themselves.
 *
 * @module
 */

import { runTool } from "./tools.ts";

/** One kernel module, ready for `insmod`. */
export interface KernelModule {
  /** Name with underscores, as `lsmod` shows it. */
  name: string;
  /** Path below the modules directory, e.g. `kernel/drivers/net/tun.ko`. */
  path: string;
  /** The decompressed ELF object. */
  content: Uint8Array;
  /** All modules that must be loaded before, directly needed ones first: depmod's order. */
  needs: KernelModule[];
}

/**
 * Reads the named modules and everything they need, each one after its dependencies.
 *
 * @param directory The modules directory, e.g. `/lib/modules/6.1.0-56-cloud-amd64`.
 * @param names Module names; `-` and `_` are the same.
 * @param onMissing Called with the name of each module that this kernel lacks or has built in.
 */
export async function readModules(
  directory: string,
  names: readonly string[],
  onMissing: (name: string) => void,
): Promise<KernelModule[]> {
  const paths = await modulePaths(directory);
  const loaded = new Map<string, KernelModule>();

  async function load(name: string): Promise<KernelModule | undefined> {
    const known = loaded.get(name);
    if (known) return known;
    const path = paths.get(name);
    if (path === undefined) return void onMissing(name);
    const content = await readModule(`${directory}/${path}`);
    const needs: KernelModule[] = [];
    for (const needed of dependenciesOf(content)) {
      const module = await load(needed);
      if (module) needs.push(module);
    }
    const module = { name, path: path.replace(/\.ko.*$/, ".ko"), content, needs: flatten(needs) };
    loaded.set(name, module);
    return module;
  }

  for (const name of names) await load(canonical(name));
  return [...loaded.values()];
}

/** Writes the `modules.dep` that modprobe wants beside the modules. */
export function modulesDep(modules: KernelModule[]): string {
  const line = (module: KernelModule) =>
    `${module.path}:${module.needs.map((needed) => " " + needed.path).join("")}\n`;
  return modules.map(line).join("");
}

/** Reads the `depends=` entry of a module's `.modinfo` section. */
export function dependenciesOf(module: Uint8Array): string[] {
  const match = new TextDecoder("latin1").decode(module).match(/\0depends=([^\0]*)\0/);
  return match ? match[1].split(",").filter((name) => name !== "").map(canonical) : [];
}

function canonical(name: string): string {
  return name.replaceAll("-", "_");
}

/** Dependents before what they need, each once. */
function flatten(direct: KernelModule[]): KernelModule[] {
  const all = direct.flatMap((module) => [module, ...module.needs]);
  return all.filter((module, index) => all.lastIndexOf(module) === index);
}

async function modulePaths(directory: string): Promise<Map<string, string>> {
  const paths = new Map<string, string>();
  async function walk(below: string): Promise<void> {
    for await (const entry of Deno.readDir(`${directory}/${below}`)) {
      const path = `${below}/${entry.name}`;
      if (entry.isDirectory) await walk(path);
      const match = entry.name.match(/^(.+)\.ko(\.xz|\.zst|\.gz)?$/);
      if (match && entry.isFile) paths.set(canonical(match[1]), path);
    }
  }
  await walk("kernel");
  return paths;
}

async function readModule(path: string): Promise<Uint8Array> {
  if (path.endsWith(".xz")) return await runTool("xz", ["-dc", path]);
  if (path.endsWith(".zst")) return await runTool("zstd", ["-dcq", path]);
  if (path.endsWith(".gz")) {
    const file = await Deno.open(path);
    return await new Response(file.readable.pipeThrough(new DecompressionStream("gzip"))).bytes();
  }
  return await Deno.readFile(path);
}
