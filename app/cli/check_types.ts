import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { CulvertError, UsageError } from "../../ffi/error.ts";
import { isFile } from "../guest/function/function_name.ts";
import { shellQuote } from "../vm/show.ts";
import { importMapUrl } from "./import_map.ts";

/**
 * The option that tells `deno check` culvert's names; in a project with the package it finds them.
 */
const OWN_NAMES = import.meta.url.endsWith(".ts")
  ? [`--config=${fileURLToPath(new URL("../../deno.json", import.meta.url))}`]
  : [];

/**
 * Options by which `deno check` ignores projects and lock files beside the files that it checks.
 */
const HOW = ["--quiet", "--no-config", "--no-lock", "--node-modules-dir=manual"];

/**
 * Checks the types of functions, as `deno check` does, also of functions that are saved later. A
 * process of its own runs Deno for that, as this process gives up the right to run programs: no
 * function can use it.
 */
export class TypeChecker implements Disposable {
  readonly #requests: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #answers: ReadableStreamDefaultReader<string>;

  /**
   * Start the process that runs Deno, and give up the right to run programs.
   *
   * @param named What `--function` names.
   * @throws {UsageError} if we may not run Deno.
   */
  constructor(named: readonly string[]) {
    const program = new URL("./type_checks.ts", import.meta.url).href;
    const may = `--allow-run=${Deno.execPath()}`;
    try {
      const { stdin, stdout } = new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-prompt", "--no-config", "--no-lock", may, program],
        env: { NO_COLOR: "1" },
        ...{ stdin: "piped", stdout: "piped" },
      }).spawn();
      this.#requests = stdin.getWriter();
      this.#answers = stdout.pipeThrough(new TextDecoderStream()).getReader();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotCapable)) throw error;
      const command = shellQuote(["deno", "check", ...OWN_NAMES, ...named.filter(hasTypes)]);
      throw new UsageError(`Cannot check types as culvert may not run Deno here: run ${command}`);
    }
    Deno.permissions.revokeSync({ name: "run" });
  }

  /**
   * Check the functions that are files in TypeScript. One check at a time.
   *
   * @param named What `--function` names.
   * @throws {CulvertError} with what `deno check` says, if a type is wrong.
   */
  readonly check = async (named: readonly string[]): Promise<void> => {
    const files = named.filter(hasTypes);
    if (files.length === 0) return;
    const map = `--import-map=${importMapUrl(files, true)}`;
    const found = await this.#ask(["check", ...HOW, map, ...files.map((file) => resolve(file))]);
    if (found === "") return;
    const said = found.replace(/\n*error: Type checking failed\.[^]*$/, "");
    throw new CulvertError(`Cannot use ${files.join(", ")} as deno check says:\n${said}`);
  };

  /** Let the process that runs Deno end. */
  [Symbol.dispose](): void {
    this.#requests.close().catch(() => {/* it has ended */});
  }

  /** What Deno prints if it fails with these arguments; nothing if it does not fail. */
  async #ask(args: readonly string[]): Promise<string> {
    let answer = "";
    try {
      await this.#requests.write(new TextEncoder().encode(JSON.stringify(args) + "\n"));
      while (!answer.endsWith("\n")) answer += (await this.#answers.read()).value!;
      return JSON.parse(answer);
    } catch (cause) {
      throw new CulvertError("Cannot check types as their checker has ended: start culvert anew", {
        cause,
      });
    }
  }
}

function hasTypes(name: string): boolean {
  return isFile(name) && /\.[cm]?tsx?$/.test(name);
}
