import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { CulvertError } from "../../ffi/error.ts";
import { SHIM_PATH } from "../../ffi/shim.ts";
import { SOCKET_FOLDER } from "../memory/region_name.ts";
import { draftOf } from "../linux/pidfile.ts";
import type { ServerOptions } from "../ivshmem/run_server.ts";
import { SHM_FOLDER } from "../ivshmem/served_memory.ts";

/** The program's folder: its `main.ts` is run as a process, not imported. */
const APP = new URL("../", import.meta.url);

/** The descriptor on which a server reports: `REPORT` in shim/server_start.c. */
const REPORT = 4;

/** Whether the shim's path has a comma, which Deno's lists of paths have no way to write. */
const HAS_COMMA = SHIM_PATH.includes(",");

/**
 * A server's working folder: `/`, or, if the path of this project has a comma, that of the shim,
 * which is then allowed by its name alone.
 */
export const SERVER_CWD: string = HAS_COMMA ? dirname(SHIM_PATH) : "/";

/**
 * The words of a command that runs a server in the foreground, in {@linkcode SERVER_CWD}. Deno
 * permits the server no more than it needs.
 *
 * @throws {CulvertError} if the path of a file has a comma.
 */
export function serverCommand(options: ServerOptions): string[] {
  const files = list(filesOf(options));
  const shim = HAS_COMMA ? basename(SHIM_PATH) : SHIM_PATH;
  return [
    ...[Deno.execPath(), "run", "--no-prompt", `--allow-ffi=${shim}`],
    ...[`--allow-read=${files}`, `--allow-write=${files}`],
    ...[fileURLToPath(new URL("main.ts", APP)), "server", ...argumentsFor(options)],
    ...["--report", `${REPORT}`],
  ];
}

/** The options of a server in the foreground. */
export function argumentsFor(options: ServerOptions): string[] {
  const { socket, memory, bytes, vectors, firstId, pidfile, untilUnused, account } = options;
  return [
    ...["-F", "-S", socket, "-l", `${bytes}`, "-n", `${vectors}`],
    ...(memory.kind === "folder" ? ["-m", memory.path] : []),
    ...(memory.kind === "shm" ? ["-M", memory.name] : []),
    ...(memory.kind === "inherited" ? ["--fd", `${memory.fd}`] : []),
    ...(firstId === undefined ? [] : ["--first-id", `${firstId}`]),
    ...(pidfile === undefined ? [] : ["-p", pidfile]),
    ...(untilUnused ? ["--until-unused"] : []),
    ...(account?.user === undefined ? [] : ["--user", account.user]),
    ...(account?.group === undefined ? [] : ["--group", account.group]),
  ];
}

/** What a server with these options must be allowed to write: as little as it needs. */
export function filesOf({ socket, memory, pidfile }: ServerOptions): string[] {
  return [
    dirname(socket) === SOCKET_FOLDER ? SOCKET_FOLDER : socket,
    ...(memory.kind === "folder" ? [memory.path] : []),
    ...(memory.kind === "shm" ? [`${SHM_FOLDER}/${memory.name}`] : []),
    ...(pidfile === undefined ? [] : [pidfile, draftOf(pidfile)]),
  ];
}

/** A list of paths as Deno's options want it: it has no way to write a comma in a path. */
function list(paths: readonly string[]): string {
  const bad = paths.find((path) => path.includes(","));
  if (bad === undefined) return paths.join(",");
  throw new CulvertError(
    `Cannot start a server as ${bad} has a comma: Deno could not be told to allow it; use a path ` +
      "without one, or start `culvert server -F` beforehand under `deno run -A`",
  );
}
