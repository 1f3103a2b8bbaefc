import { CulvertError } from "../../../ffi/error.ts";
import { told } from "./chain.ts";
import type { Context } from "./context.ts";
import { type FrameFunction, type FunctionModule, isAsync } from "./function_module.ts";

/** `setup()` has returned what is no function. */
class NoFunctionError extends CulvertError {}

/**
 * Call `setup()`: the function that it has returned, or the default export if it returns nothing.
 *
 * @throws {CulvertError} if it has returned something else.
 * @throws what it throws.
 */
export function setUpFunction(
  module: FunctionModule,
  context: Context,
): FrameFunction | undefined {
  const run: unknown = module.setup?.(context);
  if (run === undefined || run === null) return module.default;
  const refuse = (what: string, wanted: string) =>
    new NoFunctionError(`its setup() has returned ${what}: ${wanted}`);
  if (isAsync(run)) throw refuse("an async function", "nothing waits for it");
  if (typeof run === "function") return run as FrameFunction;
  if (typeof (run as { then?: unknown }).then === "function") {
    (run as Promise<unknown>).then(undefined, () => {}); // it is refused, however it ends
    throw refuse("a promise", "nothing waits for it, await at the file's top level");
  }
  const kind = typeof run === "object" ? "an object" : `a ${typeof run}`;
  throw refuse(kind, "return a function (burst) => {}, or nothing");
}

/** Why a function could not be set up. `who` stands before `has thrown`. */
export function whyNotSetUp(error: unknown, who = "it"): string {
  return error instanceof NoFunctionError ? error.message : `${who} has thrown: ${told(error)}`;
}

/** What `error` says to one who has called `setup()`: see {@linkcode setUpFunction}. */
export function isNoFunction(error: unknown): boolean {
  return error instanceof NoFunctionError;
}
