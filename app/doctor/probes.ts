import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { CulvertError } from "../../ffi/error.ts";
import { findRegion } from "../inspect/find_region.ts";
import { usableCores } from "../linux/core_list.ts";
import { HEADER, MAGIC } from "../memory/layout.ts";
import { listeningServers } from "../region/listening_servers.ts";
import { parseCommandLine } from "./command_line.ts";
import type { Opened, OurProgram, Probes, SeenRegion } from "./check.ts";

/** Probes of the machine that this program runs on. They need Deno's `-A`. */
export function probesOfThisMachine(): Probes {
  return { read, open, run, cores: usableCores(), freeBytes, programs, regions };
}

function read(path: string): string | undefined {
  return orUndefined(() => Deno.readTextFileSync(path));
}

function open(path: string): Opened {
  try {
    Deno.openSync(path, { read: true, write: true }).close();
    return "opened";
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? "absent" : "refused";
  }
}

async function run(program: string, ...args: string[]): Promise<string | undefined> {
  const command = new Deno.Command(program, { args, env: { LC_ALL: "C" } });
  const { success, stdout } = await command.output().catch(() => ({
    success: false,
    stdout: null,
  }));
  return success ? new TextDecoder().decode(stdout!) : undefined;
}

function freeBytes(folder: string): number | undefined {
  return orUndefined(() => {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  });
}

function programs(): OurProgram[] {
  const pids = [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter(Boolean);
  return pids.filter((pid) => pid !== Deno.pid).flatMap((pid) => {
    const args = read(`/proc/${pid}/cmdline`)?.split("\0") ?? [];
    const found = parseCommandLine(args);
    if (!found) return [];
    const cwd = folderOf(pid);
    if (cwd === "") return [];
    const version = versionAt(cwd ? `/proc/${pid}/root` : "", cwd ?? "", found.main);
    const isHidden = cwd === undefined && version === undefined;
    return [{ pid, version, isHidden, command: found.command, interfaces: found.interfaces }];
  });
}

/**
 * Where a process runs, as it calls that folder: undefined if we may not see that; empty if the
 * process has ended.
 */
function folderOf(pid: number): string | undefined {
  try {
    return Deno.readLinkSync(`/proc/${pid}/cwd`);
  } catch (error) {
    return error instanceof Deno.errors.PermissionDenied ? undefined : "";
  }
}

/**
 * The version of the program whose main file is `main`: from the nearest manifest in a folder
 * above.
 *
 * @param root What its root is here: it may run in a container.
 */
function versionAt(root: string, cwd: string, main: string): string | undefined {
  const path = main.startsWith("/") ? main : `${cwd}/${main}`;
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    for (const name of ["deno.json", "package.json"]) {
      const text = read(`${root}${folder}/${name}`);
      const found = text && orUndefined(() => JSON.parse(text));
      if (found?.name?.endsWith("culvert-net")) return found.version;
    }
  }
  return undefined;
}

function regions(): SeenRegion[] {
  return listeningServers().flatMap(({ region }) => {
    try {
      const { memory } = findRegion(region);
      const isOurs = MAGIC.every((word, i) => memory.load(HEADER.MAGIC_0 + i) === word);
      const layout = isOurs ? memory.load(HEADER.VERSION) : 0;
      const hash = memory.load(HEADER.LAYOUT_HASH);
      memory.close();
      return [{ region, layout, hash }];
    } catch (error) {
      if (!(error instanceof CulvertError)) throw error;
      return []; // the server may have ended just now, or be another user's
    }
  });
}

function orUndefined<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
