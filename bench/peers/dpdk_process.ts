import { Child } from "../child.ts";

/**
 * A DPDK program that is asked by lines on its standard input and answers on its standard output;
 * it ends when its input ends. What EAL would leave in /run/dpdk goes to a temporary directory,
 * which is removed with the program.
 */
export class DpdkProcess extends Child {
  readonly #directory: string;

  /**
   * Start it.
   *
   * @param name What it is called in messages.
   * @param command Program and arguments; what precedes the program itself must `exec` it.
   */
  constructor(name: string, command: readonly string[]) {
    const directory = Deno.makeTempDirSync({ prefix: `culvert-dpdk-${Deno.pid}-` });
    super(name, command, { env: { RUNTIME_DIRECTORY: directory }, endBy: "input" });
    this.#directory = directory;
  }

  /** End the program, by the end of its input or by force, and clean up. */
  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await Deno.remove(this.#directory, { recursive: true });
  }
}
