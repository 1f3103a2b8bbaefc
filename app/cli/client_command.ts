import { CulvertError } from "../../ffi/error.ts";
import { Client } from "./client.ts";
import { Peer } from "../ivshmem/peer.ts";
import { Reconnector } from "../region/reconnector.ts";
import { isPath, socketPath } from "../memory/region_name.ts";
import { stdout } from "../linux/output.ts";
import { sayFor } from "./messages.ts";
import { checkUsage, type Parsed } from "./options.ts";
import { stopSignal } from "./stop_signal.ts";
import type { CLIENT } from "./tables/client.ts";

/** What `culvert client` is asked to do. */
export interface ClientOptions {
  /** The server's socket, a path. */
  readonly socket: string;
  /** The commands; undefined if they come from stdin. */
  readonly commands?: readonly string[];
  /** Say which peer we are. */
  readonly verbose: boolean;
}

/**
 * What the command line of `culvert client` asks for.
 *
 * @throws {UsageError} naming the option, what was found and what is wanted.
 */
export function clientOptions({ values }: Parsed<typeof CLIENT>): ClientOptions {
  const { socket, command, verbose } = values;
  return {
    socket: readSocket(socket),
    commands: command.length > 0 ? command : undefined,
    verbose,
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
export async function clientCommand(parsed: Parsed<typeof CLIENT>): Promise<number> {
  const options = clientOptions(parsed);
  const peer = Peer.connect(options.socket);
  if (!peer) {
    throw new CulvertError(
      `Cannot connect to ${options.socket} as no server listens there: start \`culvert server\``,
    );
  }
  const say = (text: string) => stdout.line(text);
  if (options.verbose) say(describe(peer));
  const client = new Client(peer, say, new Reconnector(options.socket, say));
  const isTerminal = options.commands === undefined && Deno.stdin.isTerminal();
  const signal = stopSignal(sayFor("client"));
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
