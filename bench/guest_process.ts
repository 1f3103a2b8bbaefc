/** A `culvert guest` process beside the bench; ends with it. */
export class GuestProcess {
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
  }

  /** Start one, pinned to `core`. */
  static start(region: string, core: number, mode: string, burst = 32): GuestProcess {
    const main = new URL("../app/main.ts", import.meta.url).pathname;
    const root = new URL("..", import.meta.url).pathname;
    const args = [
      "run",
      "--no-prompt",
      `--allow-ffi=${root}.cache/shim/libculvert.so`,
      `--allow-read=${root}`,
      main,
      ...["guest", "--region", region, "-l", String(core), "-T", "0", "--idle", "poll"],
      ...["--forward-mode", mode, "--burst", String(burst)],
    ];
    const command = new Deno.Command(Deno.execPath(), { args, stdout: "null", stderr: "null" });
    return new GuestProcess(command.spawn());
  }

  /** Let it detach and end. */
  async stop(): Promise<void> {
    this.#child.kill("SIGINT");
    await this.#child.status;
  }
}
