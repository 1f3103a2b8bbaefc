/**
 * An ordinary user with a copy of Deno and the program, and a cache, in a folder that anybody may
 * read: the clone that tests run from may lie where only root may read.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { Lab, Running } from "../kit/lab.ts";
import config from "../../deno.json" with { type: "json" };

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A task whose permissions a command runs with. */
export type Task = keyof typeof config.tasks;

/** A user that nobody else is; it need not be in /etc/passwd. */
export const UID = 47_321;

/** Its group. */
export const GID = 47_321;

/** An ordinary user with a copy of the program. */
export class OtherUser implements AsyncDisposable {
  private constructor(private readonly lab: Lab, readonly folder: string) {}

  /** Make the copy: Deno by a hard link if that can be, as it is big. */
  static async create(lab: Lab): Promise<OtherUser> {
    const folder = await Deno.makeTempDir({ prefix: "culvert-user-" });
    const program = await Deno.realPath(Deno.execPath());
    await lab.run("sh", "-c", `ln ${program} ${folder}/deno || cp ${program} ${folder}/deno`);
    await Deno.mkdir(`${folder}/.cache/shim`, { recursive: true });
    await lab.run("cp", "-r", `${ROOT}app`, `${ROOT}ffi`, folder);
    await lab.run("cp", `${ROOT}.cache/shim/libculvert.so`, `${folder}/.cache/shim/`);
    await Deno.mkdir(`${folder}/deno_dir`);
    await Deno.chown(`${folder}/deno_dir`, UID, GID);
    await Deno.chmod(folder, 0o755);
    return new OtherUser(lab, folder);
  }

  /** What runs the command behind it as this user, with these capabilities and no others. */
  become(...capabilities: string[]): string[] {
    const named = capabilities.map((name) => `+${name}`);
    const list = ["-all", ...named].join(",");
    return [
      ...["setpriv", `--reuid=${UID}`, `--regid=${GID}`, "--clear-groups"],
      ...[`--bounding-set=${list}`, `--inh-caps=${list}`, `--ambient-caps=${list}`],
      ...["env", `DENO_DIR=${this.folder}/deno_dir`, `HOME=${this.folder}`],
    ];
  }

  /** Start `culvert` as this user, with the permissions of a task. */
  culvert(
    task: Task,
    args: string[],
    { netns = "", capabilities = [] as string[] } = {},
  ): Running {
    const [, ...deno] = config.tasks[task].command
      .replace("app/main.ts", `${this.folder}/app/main.ts`)
      .replace("=.cache/", `=${this.folder}/.cache/`)
      .replace("--lock=deno.lock ", "")
      .replace(/--allow-read=\.(?=[ ,])/, `--allow-read=${this.folder}`)
      .split(" ");
    const enter = netns ? ["ip", "netns", "exec", netns] : [];
    const under = this.become(...capabilities);
    return this.lab.start(...enter, ...under, `${this.folder}/deno`, ...deno, ...args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}
