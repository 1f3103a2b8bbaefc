import { resolve } from "node:path";
import { UsageError } from "../../ffi/error.ts";
import { readSocket } from "./client_command.ts";
import type { ServerLog } from "../ivshmem/server.ts";
import { runServer, type ServerOptions } from "../ivshmem/run_server.ts";
import { type MemoryPlace, roundedUp, SHM_FOLDER } from "../ivshmem/served_memory.ts";
import { reportFailure, reportReady } from "../ivshmem/server_report.ts";
import { ServerStarter } from "../region/server_starter.ts";
import { type Level, logWriter } from "../linux/log.ts";
import { endDuties } from "../linux/keeper.ts";
import {
  dropPrivileges,
  giveUpPermissions,
  ownsRootsFiles,
  STILL_ROOT,
} from "../linux/privileges.ts";
import { ServiceManager } from "../linux/service_manager.ts";
import { logFor, sayFor } from "./messages.ts";
import { limitLog } from "./log_limit.ts";
import type { Parsed } from "./options.ts";
import { stopSignal } from "./stop_signal.ts";
import type { SERVER } from "./tables/server.ts";

/** Largest memory that is served: QEMU's BARs have 40 bits and more, memory has not. */
const SERVED_MAX_BYTES = 2 ** 40;

/** What `culvert server` is asked to do. */
export interface ServerCommandOptions extends ServerOptions {
  /** Whether to stay in the foreground, and be no daemon. */
  readonly foreground: boolean;
  /** Say which peers join and leave. */
  readonly verbose: boolean;
  /** The size that was asked for, in bytes. */
  readonly asked: number;
  /** A socket on which to report that it is ready. */
  readonly report?: number;
}

/**
 * What the command line of `culvert server` asks for.
 *
 * @throws {UsageError} naming the option, what was found and what is wanted.
 */
export function serverOptions({ values }: Parsed<typeof SERVER>): ServerCommandOptions {
  const { foreground, verbose, pidfile, fd, size: asked, "first-id": firstId, report } = values;
  if (verbose && !foreground) {
    throw new UsageError("Cannot use -v as a daemon has nowhere to say it: add -F");
  }
  if (asked < 1 || asked > SERVED_MAX_BYTES) {
    throw new UsageError(`Cannot use -l ${asked} as 1 byte to 1 TiB are possible`);
  }
  return {
    socket: resolve(readSocket(values.socket)),
    memory: fd === undefined
      ? readPlace(values["shm-name"], values.folder)
      : { kind: "inherited", fd },
    asked,
    bytes: roundedUp(asked),
    vectors: values.vectors,
    ...firstId === undefined ? {} : { firstId },
    ...report === undefined ? {} : { report },
    pidfile: pidfile === undefined ? undefined : resolve(pidfile),
    untilUnused: values["until-unused"],
    account: { user: values.user, group: values.group },
    foreground,
    verbose,
  };
}

function readPlace(name: string | undefined, folder: string | undefined): MemoryPlace {
  if (name !== undefined && folder !== undefined) {
    throw new UsageError("Cannot use -M and -m together: the memory is in one place");
  }
  if (folder !== undefined && /^\d+$/.test(folder)) {
    throw new UsageError(
      `Cannot use -m ${folder} as -m names a folder: what was -m ${folder} -p PATH of the older ` +
        `ivshmem_server is -l ${folder}M -S PATH (a folder of that name: -m ./${folder})`,
    );
  }
  if (folder !== undefined) return { kind: "folder", path: resolve(folder) };
  if (name === undefined) return { kind: "memfd" };
  const plain = name.replace(/^\//, ""); // shm_open(3) wants a slash there
  if (/^[\w.-]{1,200}$/.test(plain) && !/^\.+$/.test(plain)) return { kind: "shm", name: plain };
  throw new UsageError(
    `Cannot use -M ${name} as it is no name (letters, digits, ".", "_", "-"): write culvert0`,
  );
}

/** `culvert server`: returns the exit status. */
export async function serverCommand(parsed: Parsed<typeof SERVER>): Promise<number> {
  const options = serverOptions(parsed);
  const { asked, bytes } = options;
  logFor("server", parsed.values);
  if (asked !== bytes) sayAtOnce(`-l ${asked} is rounded up to ${bytes} bytes, a power of two`);
  if (!options.foreground) return await serveAsDaemon(options);
  const limited = limitLog(say);
  // Lines on peers that join and leave are of level info with -v, of level debug without.
  const level = options.verbose ? "info" : "debug";
  const log: ServerLog = {
    event: (line) => say(line, { level }),
    trouble: (line) => limited(line, { level: "warning" }),
  };
  let { report } = options;
  const manager = report === undefined ? new ServiceManager() : undefined; // else a host's
  try {
    await runServer(options, stopSignal(say), log, (line) => {
      dropPrivileges(options.account ?? {}, { interfaces: [], files: madeFiles(options) });
      const isStillRoot = !options.untilUnused && ownsRootsFiles(); // else the host has said so
      giveUpPermissions();
      sayAtOnce(line);
      if (isStillRoot) sayAtOnce(STILL_ROOT, "warning");
      if (report !== undefined) reportReady(report);
      report = undefined;
    }, manager);
  } catch (error) {
    if (report !== undefined) reportFailure(report, error);
    throw error;
  } finally {
    limited.flush();
    endDuties();
  }
  return 0;
}

/** What a server removes in the end. */
function madeFiles({ socket, memory, pidfile }: ServerOptions): string[] {
  return [
    socket,
    ...(memory.kind === "shm" ? [`${SHM_FOLDER}/${memory.name}`] : []),
    ...(pidfile === undefined ? [] : [pidfile]),
  ];
}

async function serveAsDaemon(options: ServerCommandOptions): Promise<number> {
  const starter = new ServerStarter(options);
  try {
    const { pid, said } = await starter.start();
    writeAtOnce(said);
    console.log(pid);
    return 0;
  } finally {
    starter.close();
  }
}

const say = sayFor("server");

/**
 * Write a line at once: the program that starts a server reads its lines only until the server
 * reports that it is ready.
 */
function sayAtOnce(line: string, level: Level = "info"): void {
  if (!logWriter.isWritten(level)) return;
  writeAtOnce(`${logWriter.text("culvert server", line, { level })}\n`);
}

function writeAtOnce(text: string): void {
  try { // a full disk or a reader that is gone must not end the server
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  } catch {
    // Then the line is lost.
  }
}
