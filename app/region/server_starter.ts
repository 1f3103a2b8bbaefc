import { CulvertError } from "../../ffi/error.ts";
import type { ServerOptions } from "../ivshmem/run_server.ts";
import type { ServerNews } from "../ivshmem/server_report.ts";
import { entrust, type GivenMemory, releaseServer, serve } from "../linux/keeper.ts";
import { SERVER_CWD, serverCommand } from "./server_command_line.ts";
import { ServerStart } from "./server_start.ts";

/**
 * Starts `culvert server` as a process that outlives us and holds nothing of ours: now, or in the
 * place of one that is gone, long after we have given up our privileges. The keeper does it.
 */
export class ServerStarter {
  readonly #socket: string;
  #start?: ServerStart;

  /**
   * Entrust the keeper with a server.
   *
   * @throws {CulvertError} if there can be no keeper any more.
   */
  constructor(options: ServerOptions) {
    this.#socket = options.socket;
    entrust({ servers: new Map([[options.socket, [SERVER_CWD, ...serverCommand(options)]]]) });
  }

  /**
   * Begin to start the server; {@linkcode news} tells what becomes of it.
   *
   * @param memory The memory that it is to serve; if left out, it makes some.
   * @throws {CulvertError} if the keeper has ended, or hangs.
   */
  begin(memory?: GivenMemory): void {
    this.#start?.close();
    this.#start = undefined;
    this.#start = new ServerStart(serve(this.#socket, memory));
  }

  /** What has become of the server that was begun last. */
  news(): ServerNews {
    return this.#start?.news() ?? {};
  }

  /** Why the server that was begun last has ended before it was ready. */
  get failure(): CulvertError {
    return this.#start?.failure ?? new CulvertError("Cannot start a server as none was begun");
  }

  /**
   * Start the server, and wait until it is ready.
   *
   * @returns its process id, and what it has said.
   * @throws {CulvertError} if it does not start, with what it says.
   */
  async start(): Promise<{ pid: number; said: string }> {
    this.begin();
    const start = this.#start!;
    const pid = await start.ready();
    return { pid, said: start.said };
  }

  /** Start no more servers. Those that were started go on. */
  close(): void {
    this.#start?.close();
    this.#start = undefined;
    releaseServer(this.#socket);
  }
}
