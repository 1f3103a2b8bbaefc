import { type Functions, type FunctionSpec, type LoadedFunction, loadFunctions } from "./load.ts";
import { NoExit } from "./no_exit.ts";
import { Progress } from "./progress.ts";
import type { IdleMode } from "../../lcore/idle.ts";
import { rehearse } from "../rehearsal.ts";
import { Rejections } from "../trial/rejections.ts";
import { tryOut } from "../trial/try_out.ts";

/** What a thread is to load; survives `postMessage`. */
export interface Preparation {
  /** The functions, in order. */
  readonly specs: readonly FunctionSpec[];
  /**
   * What the lcore does when idle, if it is to rehearse. Later versions of the functions do not
   * rehearse, to start sooner.
   */
  readonly idle?: IdleMode;
  /**
   * Left out if they are not to be tried. A thread that tries them is not used again, as modules
   * keep state.
   */
  readonly trial?: {
    /** How many ports the guest has. */
    readonly ports: number;
    /** How far the trial has come: `PROGRESS_BYTES`, zeros at first. */
    readonly progress: SharedArrayBuffer;
  };
}

/**
 * Load functions in the thread of an lcore, which may rehearse before; or try them on a burst in a
 * thread of its own.
 *
 * @throws {CulvertError} if they cannot be loaded, or fail.
 */
export async function prepareFunctions(
  { specs, idle, trial }: Preparation,
): Promise<{ prepared: readonly LoadedFunction[]; report: Functions }> {
  if (idle) rehearse(idle);
  new NoExit(); // for as long as the thread lives
  using rejections = trial && new Rejections();
  const { loaded, functions } = await loadFunctions(specs);
  if (trial) tryOut(loaded, trial.ports, new Progress(trial.progress));
  await rejections?.check();
  return { prepared: loaded, report: functions };
}
