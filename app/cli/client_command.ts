import { CulvertError } from "../../ffi/error.ts";
import { Client, CLIENT_HELP } from "./client.ts";
import { Peer } from "../ivshmem/peer.ts";
import { Reconnector } from "../region/reconnector.ts";
import { isPath, socketPath } from "../memory/region_name.ts";
import { checkUsage, readOptions, stopSignal } from "./options.ts";

const USAGE = `culvert client - a peer that does what it is told, as QEMU's ivshmem-client

usage: culvert client [-S NAME|PATH] [-v] [-c COMMAND]...

  -S NAME|PATH     the server's socket: NAME stands for /run/culvert/NAME.sock
                   (default culvert0). QEMU's server listens at /tmp/ivshmem_socket
  -c COMMAND       do this, then the next -c, then leave. Without one, commands come
                   from stdin, a line each, to its end; ";" separates several in a line
  -v               say what we are when we have connected
  -h               show this text

Commands:

${CLIENT_HELP.replaceAll(/^/gm, "  ")}

It says, a line each: "peer ID joined", "peer ID left", "interrupt VECTOR", "server gone: ..."
and "failed: ..." if a command fails. Unless stdin is a terminal, the first that fails ends
it, with exit status 1.

example: culvert client -S culvert0 -c 'int 0 0' -c 'wait any 5'
`;

const OPTIONS = {
  socket: { type: "string", short: "S", default: "culvert0" },
  command: { type: "string", short: "c", multiple: true },
  verbose: { type: "boolean", short: "v", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** What `culvert client` is asked to do. */
export interface ClientOptions {
  /** The server's socket, a path. */
  readonly socket: string;
  /** Undefined if they come from stdin. */
  readonly commands?: readonly string[];
  /** Say what we are. */
  readonly verbose: boolean;
}

/**
 * Read the options of `culvert client`; undefined if help was asked for.
 *
 * @throws {UsageError} naming the option, what was found and what is wanted.
 */
export function readClientOptions(args: string[]): ClientOptions | undefined {
  const values = readOptions(args, OPTIONS);
  if (values.help) return undefined;
  return {
    socket: readSocket(values.socket),
    commands: values.command,
    verbose: values.verbose,
  };
}

/**
 * The path of a socket that is named by NAME or PATH.
 *
 * @throws {UsageError} if it is neither.
 */
export function readSocket(socket: string): string {
  if (isPath(socket)) return socket;
  checkUsage(() => socketPath(socket));
  return socketPath(socket);
}

/** `culvert client`: returns the exit status. */
export async function clientCommand(args: string[]): Promise<number> {
  const options = readClientOptions(args);
  if (!options) {
    console.log(USAGE);
    return 0;
  }
  const peer = Peer.connect(options.socket);
  if (!peer) {
    throw new CulvertError(
      `Cannot connect to ${options.socket} as no server listens there: start \`culvert server\``,
    );
  }
  if (options.verbose) console.log(describe(peer));
  const say = (text: string) => console.log(text);
  const client = new Client(peer, say, new Reconnector(options.socket, say));
  const isTerminal = options.commands === undefined && Deno.stdin.isTerminal();
  const signal = stopSignal();
  signal.addEventListener("abort", () => client.end());
  const listening = client.listen();
  const status = await obey(
    client,
    options.commands ?? linesOfStdin(isTerminal),
    isTerminal,
    signal,
  );
  client.end();
  await listening;
  return status;
}

function describe({ id, bytes, vectors, others, server }: Peer): string {
  const ids = [...others.keys()];
  return `we are peer ${id}: ${bytes} bytes, ${vectors.length} vectors, peers ` +
    `${ids.length > 0 ? ids.join(" ") : "none"}, server process ${server.pid}, user ${server.uid}`;
}

async function obey(
  client: Client,
  lines: Iterable<string> | AsyncIterable<string>,
  isTerminal: boolean,
  signal: AbortSignal,
): Promise<number> {
  const stopped = new Promise<"quit">((resolve) =>
    signal.addEventListener("abort", () => resolve("quit"))
  );
  const all = (async () => {
    for await (const line of lines) {
      const outcome = await client.run(line);
      if (outcome === "quit") break;
      if (outcome === "failed" && !isTerminal) return 1;
    }
    return 0;
  })();
  const status = await Promise.race([all, stopped]);
  return status === "quit" ? 0 : status;
}

async function* linesOfStdin(isTerminal: boolean): AsyncGenerator<string> {
  const prompt = () => isTerminal && Deno.stdout.writeSync(new TextEncoder().encode("cmd> "));
  let rest = "";
  prompt();
  for await (const piece of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      yield line;
      prompt();
    }
  }
  yield rest;
}
