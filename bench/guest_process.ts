import { fileURLToPath } from "node:url";

/** A `culvert guest` process beside the bench; ends with it. */
export class GuestProcess {
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
  }

  /** Start one, pinned to `core`. */
  static start(region: string, core: number, mode: string, burst = 32): GuestProcess {
    const cwd = fileURLToPath(new URL("..", import.meta.url));
    const args = [
      "run",
      "--no-prompt",
      "--allow-ffi=.cache/shim/libculvert.so",
      "--allow-read=.",
      "app/main.ts",
      ...["guest", "--region", region, "-l", String(core), "-T", "0", "--idle", "poll"],
      ...["--forward-mode", mode, "--burst", String(burst)],
    ];
    const command = { args, cwd, stdout: "null", stderr: "null" } as const;
    return new GuestProcess(new Deno.Command(Deno.execPath(), command).spawn());
  }

  /** Let it detach and end. */
  async stop(): Promise<void> {
    this.#child.kill("SIGINT");
    await this.#child.status;
  }
}
