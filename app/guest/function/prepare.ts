import { type Functions, type FunctionSpec, type LoadedFunction, loadFunctions } from "./load.ts";
import { Progress } from "./progress.ts";
import { Rejections } from "../trial/rejections.ts";
import { tryOut } from "../trial/try_out.ts";

/** What the thread of an lcore is to load; survives `postMessage`. */
export interface Preparation {
  /** The functions, in order. */
  readonly specs: readonly FunctionSpec[];
  /** Goes up each time that they are loaded again; those that take over from others are tried. */
  readonly version: number;
  /** How many ports the guest has, for that trial. */
  readonly ports: number;
  /** How far that trial has come: `PROGRESS_BYTES`, zeros at first. */
  readonly progress?: SharedArrayBuffer;
}

/**
 * Load functions in the thread of an lcore, and try them on a burst if they are to take over.
 *
 * @throws {CulvertError} if they cannot be loaded, or fail.
 */
export async function prepareFunctions(
  { specs, version, ports, progress }: Preparation,
): Promise<{ prepared: readonly LoadedFunction[]; report: Functions }> {
  if (version > 0) {
    // As modules of their own: what they keep from the trial is not used.
    using rejections = new Rejections();
    const { loaded } = await loadFunctions(specs, `${version}-trial`);
    tryOut(loaded, ports, new Progress(progress));
    await rejections.check();
  }
  const { loaded, functions } = await loadFunctions(specs, `${version}`);
  return { prepared: loaded, report: functions };
}
