import { resolve } from "node:path";
import { UsageError } from "../../ffi/error.ts";
import { readSocket } from "./client_command.ts";
import { PEER_ID_MAX, VECTORS_MAX } from "../ivshmem/protocol.ts";
import { runServer, type ServerOptions } from "../ivshmem/run_server.ts";
import { type MemoryPlace, roundedUp, SHM_FOLDER } from "../ivshmem/served_memory.ts";
import { giveUpRunning, startServer } from "../region/start_server.ts";
import {
  dropPrivileges,
  endDuties,
  giveUpPermissions,
  ownsRootsFiles,
  STILL_ROOT,
} from "../linux/privileges.ts";
import { limitLog } from "./log_limit.ts";
import { readNumber, readOptions, readSize, stopSignal } from "./options.ts";

const USAGE = `culvert server - keep a region alive and tell its peers of each other

usage: culvert server [options]

  -S NAME|PATH   the socket to listen at: NAME stands for /run/culvert/NAME.sock
                 (default culvert0). QEMU's server listens at /tmp/ivshmem_socket
  -M NAME        keep the region in the POSIX shared memory object NAME, in /dev/shm; if
                 it is there it is used, if not it is made, and removed in the end
  -m FOLDER      keep it in a file without a name there, such as on hugetlbfs
                 (default: a memfd, sealed, so that no peer can cut it short)
  --fd N         serve the memory that is open as descriptor N: a host that has lost its
                 server starts another one so
  --first-id N   the first peer id to give (default 0)
  -l SIZE        its size: 65536, 512K, 64M, 1G (default 64M); rounded up to a power of
                 two, for QEMU takes no other
  -n VECTORS     interrupt vectors of each peer, 0 to ${VECTORS_MAX} (default 1)
  -F             stay in the foreground (default: go on as a daemon once it is ready)
  -v             say who joins and leaves; with -F only
  -p PIDFILE     write the process id there; removed in the end
  --until-unused end when no peer is connected and the host has closed the region, or
                 never began it; 60 s after the last peer if a host died in it. A host
                 that finds no server starts one so
  --group NAME   a group that may connect, too: the socket's mode is 0660, not 0600
  --user NAME    the user to become once it is ready, who then may connect
  -h             show this text

Speaks QEMU's ivshmem protocol, version 0: its ivshmem-doorbell, ivshmem-client and our own
host, guest and client are peers alike. Once it is ready it gives up all capabilities. A peer
that takes no message for 30 s, or that says anything, is cut off. SIGINT or SIGTERM ends it:
peers keep the memory and go on.

example: culvert server -F -v -S culvert0 -l 64M -n 2
`;

const OPTIONS = {
  socket: { type: "string", short: "S", default: "culvert0" },
  "shm-name": { type: "string", short: "M" },
  folder: { type: "string", short: "m" },
  fd: { type: "string" },
  "first-id": { type: "string" },
  size: { type: "string", short: "l", default: "64M" },
  vectors: { type: "string", short: "n", default: "1" },
  foreground: { type: "boolean", short: "F", default: false },
  verbose: { type: "boolean", short: "v", default: false },
  pidfile: { type: "string", short: "p" },
  "until-unused": { type: "boolean", default: false },
  group: { type: "string" },
  user: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** Largest memory that is served: QEMU's BARs have 40 bits and more, memory has not. */
const SERVED_MAX_BYTES = 2 ** 40;

/** What `culvert server` is asked to do. */
export interface ServerCommandOptions extends ServerOptions {
  /** Not as a daemon. */
  readonly foreground: boolean;
  /** Say who joins and leaves. */
  readonly verbose: boolean;
  /** The size that was asked for, in bytes. */
  readonly asked: number;
}

/**
 * Read the options of `culvert server`; undefined if help was asked for.
 *
 * @throws {UsageError} naming the option, what was found and what is wanted.
 */
export function readServerOptions(args: string[]): ServerCommandOptions | undefined {
  const values = readOptions(args, OPTIONS);
  if (values.help) return undefined;
  const { foreground, verbose, pidfile } = values;
  if (verbose && !foreground) {
    throw new UsageError("Cannot use -v as a daemon has nowhere to say it: add -F");
  }
  const asked = readSize("-l", values.size);
  if (asked < 1 || asked > SERVED_MAX_BYTES) {
    throw new UsageError(`Cannot use -l ${values.size} as 1 byte to 1 TiB are possible`);
  }
  return {
    socket: resolve(readSocket(values.socket)),
    memory: values.fd === undefined
      ? readPlace(values["shm-name"], values.folder)
      : { kind: "inherited", fd: readNumber("--fd", values.fd, 3, 2 ** 20) },
    asked,
    bytes: roundedUp(asked),
    vectors: readNumber("-n", values.vectors, 0, VECTORS_MAX),
    ...(values["first-id"] === undefined
      ? {}
      : { firstId: readNumber("--first-id", values["first-id"], 0, PEER_ID_MAX) }),
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
  if (folder !== undefined) return { kind: "folder", path: resolve(folder) };
  if (name === undefined) return { kind: "memfd" };
  const plain = name.replace(/^\//, ""); // shm_open(3) wants a slash there
  if (/^[\w.-]{1,200}$/.test(plain) && !/^\.+$/.test(plain)) return { kind: "shm", name: plain };
  throw new UsageError(
    `Cannot use -M ${name} as it is no name (letters, digits, ".", "_", "-"): write culvert0`,
  );
}

/** `culvert server`: returns the exit status. */
export async function serverCommand(args: string[]): Promise<number> {
  const options = readServerOptions(args);
  if (!options) {
    console.log(USAGE);
    return 0;
  }
  const { asked, bytes } = options;
  if (asked !== bytes) say(`-l ${asked} is rounded up to ${bytes} bytes, a power of two`);
  if (!options.foreground) return await serveAsDaemon(options);
  giveUpRunning();
  const limited = limitLog(say);
  const log = { event: options.verbose ? say : () => {}, trouble: limited };
  try {
    await runServer(options, stopSignal(), log, (line) => {
      dropPrivileges(options.account ?? {}, { interfaces: [], files: madeFiles(options) });
      const isStillRoot = !options.untilUnused && ownsRootsFiles(); // or a host has said so
      giveUpPermissions();
      say(line);
      if (isStillRoot) say(STILL_ROOT);
    });
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
  const { pid, ready } = await startServer(options);
  say(ready);
  console.log(pid);
  return 0;
}

/** On stderr, of which a daemon's reader may be gone. */
function say(line: string): void {
  try { // a full disk or a reader that is gone must not end the server
    Deno.stderr.writeSync(new TextEncoder().encode(`culvert server: ${line}\n`));
  } catch {
    // Then nobody hears it.
  }
}
