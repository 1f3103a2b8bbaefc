import { fileURLToPath } from "node:url";
import { Programs } from "./programs.ts";
import type { Ended, Running } from "./running.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** How npm installs a file: from its cache if that has what the file depends on. */
const INSTALL = [
  "npm",
  "install",
  "--prefer-offline",
  "--no-audit",
  "--no-fund",
  "--loglevel=error",
];

/** npm may have to download 40 MB. */
const INSTALL_MS = 300_000;

/** The npm package, made of this clone and installed into a folder of its own. */
export class InstalledPackage extends Programs {
  private constructor(
    /** An empty folder, with a space in its name, in which the programs run. */
    readonly folder: string,
    /** The package's file, a copy. */
    readonly tarball: string,
  ) {
    super();
  }

  /** The command. */
  get culvert(): string {
    return `${this.folder}/prefix/bin/culvert`;
  }

  /** Make the package and install it as `npm install -g` does. */
  static async create(): Promise<InstalledPackage> {
    const parent = await Deno.makeTempDir({ prefix: "culvert-test-" });
    const made = new InstalledPackage(`${parent}/a folder`, `${parent}/culvert-net.tgz`);
    await Deno.mkdir(made.folder);
    await made.#make();
    await made.into(`${made.folder}/prefix`);
    return made;
  }

  /** All tests that want it make it in the same place: one after the other. */
  async #make(): Promise<void> {
    const { version } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
    using lock = await Deno.open(`${ROOT}.cache/package.lock`, { create: true, write: true });
    await lock.lock(true);
    await this.#succeeds(Deno.execPath(), "task", "-q", "package");
    await Deno.copyFile(`${ROOT}.cache/package/culvert-net-${version}.tgz`, this.tarball);
  }

  /** Install it into one more folder, as `npm install -g --prefix` does. */
  async into(prefix: string): Promise<void> {
    await this.#succeeds(...INSTALL, "--global", "--prefix", prefix, this.tarball);
  }

  /** Install the package into a project of its own; returns that folder. */
  async intoProject(): Promise<string> {
    const project = `${this.folder}/project`;
    await Deno.mkdir(project);
    await Deno.writeTextFile(`${project}/package.json`, '{ "type": "module" }');
    await this.#succeeds("env", "-C", project, ...INSTALL, this.tarball);
    return project;
  }

  /** Start the command in a folder below {@linkcode folder}. */
  command(below: string, ...args: string[]): Running {
    const caches = `XDG_CACHE_HOME=${this.folder}/caches`;
    return this.start(
      ...["env", "--unset=DENO_DIR", "-C", `${this.folder}/${below}`, caches, this.culvert],
      ...args,
    );
  }

  async #succeeds(...command: string[]): Promise<Ended> {
    const ended = await this.start(...command).ended(INSTALL_MS);
    if (ended.code !== 0) throw new Error(`${command.join(" ")}: ${ended.stdout}${ended.stderr}`);
    return ended;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await Deno.remove(this.folder.slice(0, this.folder.lastIndexOf("/")), { recursive: true });
  }
}
