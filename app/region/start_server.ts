import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { CulvertError } from "../../ffi/error.ts";
import { SHIM_PATH } from "../../ffi/shim.ts";
import { SOCKET_FOLDER } from "../memory/region_name.ts";
import { draftOf } from "../linux/pidfile.ts";
import type { ServerOptions } from "../ivshmem/run_server.ts";
import { SHM_FOLDER } from "../ivshmem/served_memory.ts";

/** The program's folder; what is started there is a process of its own, nothing that is imported. */
const APP = new URL("../", import.meta.url);

/**
 * A server's working folder: that of the shim, which so needs no path in the list of what a server may
 * load. A path in such a list cannot have a comma, but this project's folder can.
 */
export const SERVER_CWD: string = dirname(SHIM_PATH);

/** Milliseconds until a server must be ready: the machine may be busy. */
const READY_MS = 20_000;

/** What a server says when peers may come; see `runServer()`. */
const READY = /\S+ is ready: .*(?=\n)/;

/**
 * Start `culvert server` as a process that outlives us and holds nothing of ours, and wait until
 * it is ready.
 *
 * @returns its process id, and what it says of itself.
 * @throws {CulvertError} if it does not start, with what it says, or if we may run no programs.
 */
export async function startServer(
  options: ServerOptions,
): Promise<{ pid: number; ready: string }> {
  if (Deno.permissions.querySync({ name: "run" }).state !== "granted") {
    throw new CulvertError(
      "Cannot start a server as we may run no programs: run deno with --allow-run, or start " +
        "`culvert server -F` beforehand",
    );
  }
  const child = new Deno.Command(Deno.execPath(), {
    args: denoArguments(options),
    cwd: SERVER_CWD,
    detached: true,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const said = await untilReady(child);
  const ready = READY.exec(said)?.[0];
  if (ready === undefined) {
    const reason = said.trim().split("\n").at(-1)?.replace(/^culvert[\w ]*: /, "") ?? "";
    if (reason.startsWith("Cannot ")) throw new CulvertError(reason);
    throw new CulvertError(`Cannot start a server as it ended${reason && `: ${reason}`}`);
  }
  child.unref();
  return { pid: child.pid, ready };
}

/**
 * What Deno is told in {@linkcode SERVER_CWD}, to run a server in the foreground that may do no more
 * than it needs.
 *
 * @throws {CulvertError} if the path of a file has a comma.
 */
export function denoArguments(options: ServerOptions): string[] {
  const files = list(filesOf(options));
  return [
    ...["run", "--no-prompt", `--allow-ffi=${basename(SHIM_PATH)}`],
    ...[`--allow-read=${files}`, `--allow-write=${files}`],
    ...[fileURLToPath(new URL("main.ts", APP)), "server", ...argumentsFor(options)],
  ];
}

/** The command line of a server in the foreground. */
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

/**
 * From now on start no programs. Under `-A`, as in tests, programs may be started by others, and it
 * stays as it is.
 */
export function giveUpRunning(): void {
  const mayAll = Deno.permissions.querySync({ name: "env" }).state === "granted";
  if (!mayAll) Deno.permissions.revokeSync({ name: "run" });
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

/** What it says until it is ready, or ends. */
async function untilReady(child: Deno.ChildProcess): Promise<string> {
  const decoder = new TextDecoder();
  const reader = child.stderr.getReader();
  const late = setTimeout(() => child.kill("SIGTERM"), READY_MS);
  let said = "";
  try {
    for (let piece; !READY.test(said) && !(piece = await reader.read()).done;) {
      said += decoder.decode(piece.value, { stream: true });
    }
    if (!READY.test(said)) await child.status;
    return said;
  } finally {
    clearTimeout(late);
    await reader.cancel();
  }
}
