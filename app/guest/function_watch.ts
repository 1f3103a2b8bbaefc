import type { Log } from "../linux/log.ts";
import { basename, dirname, resolve } from "node:path";
import { filesOf } from "./function/local_imports.ts";

/** Milliseconds of quiet after which a file counts as saved: editors write more than once. */
const QUIET_MS = 10;

/** A function that is watched. */
interface Watched {
  /** Its number in the chain. */
  readonly index: number;
  /** Its file: an absolute path. */
  readonly file: string;
}

/** Watches the files of functions, and the files that these import, until {@linkcode close}. */
export class FunctionWatch {
  /** By folder; a folder stays watched once it is. */
  readonly #watchers = new Map<string, Deno.FsWatcher | undefined>();
  readonly #functions: readonly Watched[];
  /** For each function its own file and the files that it imports. */
  #files: readonly Set<string>[] = [];
  /** Files that were saved since the quiet began. */
  readonly #saved = new Set<string>();
  #timer?: ReturnType<typeof setTimeout>;

  /**
   * Look at the files of functions, and at the files that these import: not at packages.
   *
   * @param files By the functions' numbers; none for functions that are no files of the user's.
   * @param saved Called once files have been saved, with the name of one, and the numbers of the
   * functions that it is of.
   * @param log Told why a file cannot be looked at.
   */
  constructor(
    files: readonly (string | undefined)[],
    private readonly saved: (name: string, functions: readonly number[]) => void,
    private readonly log: Log,
  ) {
    this.#functions = files.flatMap((file, index) =>
      file === undefined ? [] : [{ index, file: resolve(file) }]
    );
    this.#lookAround();
  }

  /** Look no more. */
  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher?.close();
  }

  /** Find out which files there are now, and look at their folders. */
  #lookAround(): void {
    this.#files = this.#functions.map(({ file }) => filesOf(file));
    for (const files of this.#files) for (const file of files) this.#look(file);
  }

  #look(file: string): void {
    const folder = dirname(file);
    if (this.#watchers.has(folder)) return;
    this.#watchers.set(folder, undefined);
    try {
      const watcher = Deno.watchFs(folder, { recursive: false });
      this.#watchers.set(folder, watcher);
      this.#follow(watcher, folder);
    } catch (error) {
      const { message } = error as Error;
      this.log(`${basename(file)} is not loaded again when it is saved: ${message}`, {
        level: "warning",
      });
    }
  }

  async #follow(watcher: Deno.FsWatcher, folder: string): Promise<void> {
    for await (const { kind, paths } of watcher) {
      if (kind === "access" || kind === "remove") continue;
      // By name: the path of an event may lead through a link.
      const changed = paths.map((path) => resolve(folder, basename(path)))
        .filter((path) => this.#files.some((files) => files.has(path)));
      if (changed.length === 0) continue;
      for (const path of changed) this.#saved.add(path);
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#tell(), QUIET_MS);
    }
  }

  #tell(): void {
    const saved = [...this.#saved];
    this.#saved.clear();
    const functions = this.#functions.filter((_, i) =>
      saved.some((path) => this.#files[i].has(path))
    );
    this.#lookAround(); // what is imported may have changed
    this.saved(basename(saved[0]), functions.map(({ index }) => index));
  }
}
