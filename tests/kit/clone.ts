import assert from "node:assert/strict";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { Programs } from "./programs.ts";
import type { Running } from "./running.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The programs that a clone may use: Debian's essential packages have them, and gcc. */
const BARE = ["sh", "cat", "unshare", "nsenter", "setpriv", "cc", "as", "ld"];

/**
 * A copy of what git knows of this folder, on a bare machine: no network, no program but
 * {@linkcode BARE} and a Deno that has downloaded nothing yet.
 */
export class Clone extends Programs {
  readonly #tasks: Running[] = [];

  private constructor(private readonly parent: string, private readonly folder: string) {
    super();
  }

  get #bin(): string {
    return `${this.parent}/bin`;
  }

  /** Make one, in a folder called `name`. */
  static async create(name = "clone"): Promise<Clone> {
    const parent = await Deno.makeTempDir({ prefix: "culvert-test-" });
    const clone = new Clone(parent, `${parent}/${name}`);
    const list = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others"];
    const { stdout } = await clone.run(...list, "--exclude-standard");
    for (const file of stdout.split("\0").filter((name) => name !== "")) {
      await Deno.mkdir(dirname(`${clone.folder}/${file}`), { recursive: true });
      await Deno.copyFile(ROOT + file, `${clone.folder}/${file}`).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error; // removed, but not yet committed
      });
    }
    await Deno.mkdir(clone.#bin);
    for (const program of BARE) {
      const { stdout: path } = await clone.run("sh", "-c", `command -v ${program}`);
      await Deno.symlink(path.trim(), `${clone.#bin}/${program}`);
    }
    return clone;
  }

  /** Start `deno task` in the clone, without any network interface that is up. */
  task(...args: string[]): Running {
    const variables = [`PATH=${this.#bin}`, `DENO_DIR=${this.parent}/deno`, "NO_COLOR=1"];
    const deno = [Deno.execPath(), "task", "--cwd", this.folder, "--config"];
    const running = this.start(
      ...["unshare", "--net", "env", "--ignore-environment", ...variables],
      ...[...deno, `${this.folder}/deno.json`, ...args],
    );
    this.#tasks.push(running);
    return running;
  }

  /** Start a host and a guest as `deno task` does, and stop them. */
  async forwards(): Promise<void> {
    const region = this.name("test-");
    const ports = ["--port", "null:", "--port", "null:"];
    const host = this.task("host", ...ports, "--region", region, "-T", "0");
    await host.stderrLine(/ is ready/);
    const guest = this.task("guest", "--region", region, "-T", "0");
    await guest.stderrLine(/forwarding/);
    for (const running of [guest, host]) {
      const { code, stdout, stderr } = await running.stop();
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stdout + stderr, /Download/);
    }
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    for (const task of this.#tasks) await task.stop(); // killed, it would leave its program behind
    await super[Symbol.asyncDispose]();
    await Deno.remove(this.parent, { recursive: true });
  }
}
