import { CulvertError, kernelError } from "../../ffi/error.ts";
import { remove } from "./files.ts";

/** The name under which a pidfile is written before it gets its own. */
export function draftOf(path: string): string {
  return `${path}.new`;
}

/**
 * Write our process id to a file, which is never seen half-written.
 *
 * @returns what removes it.
 * @throws {CulvertError} if it may not be written.
 */
export function writePidfile(path: string): () => void {
  try {
    Deno.writeTextFileSync(draftOf(path), `${Deno.pid}\n`, { mode: 0o644 });
    Deno.renameSync(draftOf(path), path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) {
      throw kernelError(error, `write pidfile ${path}`);
    }
    const both = `${path},${draftOf(path)}`;
    throw new CulvertError(
      `Cannot write pidfile ${path} as Deno may not: use one in /run/culvert, or run deno with ` +
        `--allow-read=${both} --allow-write=${both}`,
    );
  }
  return () => remove(path);
}
