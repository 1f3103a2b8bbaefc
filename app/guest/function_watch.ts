import type { Log } from "../linux/log.ts";
import { basename, dirname, resolve } from "node:path";

/** Milliseconds of quiet after which a file counts as saved: editors write more than once. */
const QUIET_MS = 10;

/** Files of functions that are looked at until {@linkcode close}. */
export class FunctionWatch {
  readonly #watchers: Deno.FsWatcher[] = [];
  #timer?: ReturnType<typeof setTimeout>;

  /**
   * Look at files, and at no others of their folders: what a function imports is loaded again with
   * it.
   *
   * @param saved Called with a file's name, once it has been saved.
   * @param log Told why a file cannot be looked at.
   */
  constructor(
    files: readonly string[],
    private readonly saved: (name: string) => void,
    private readonly log: Log,
  ) {
    for (const file of files) this.#look(resolve(file));
  }

  /** Look no more. */
  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers) watcher.close();
  }

  #look(file: string): void {
    try {
      const watcher = Deno.watchFs(dirname(file), { recursive: false });
      this.#watchers.push(watcher);
      this.#follow(watcher, file);
    } catch (error) {
      const { message } = error as Error;
      this.log(`${basename(file)} is not loaded again when it is saved: ${message}`, {
        level: "warning",
      });
    }
  }

  async #follow(watcher: Deno.FsWatcher, file: string): Promise<void> {
    for await (const { kind, paths } of watcher) {
      if (kind === "access" || kind === "remove") continue;
      if (!paths.some((path) => basename(path) === basename(file))) continue;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.saved(basename(file)), QUIET_MS);
    }
  }
}
