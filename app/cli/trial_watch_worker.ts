/**
 * The Worker of a `TrialWatch`: looks for functions that do not return.
 *
 * @module
 */
import { Progress } from "../guest/function/progress.ts";
import { Standstill } from "../guest/standstill.ts";
import { sayFor } from "./messages.ts";

/** What the Worker is told. */
export interface TrialWatchOrder {
  /** Memory of a {@linkcode Progress}. */
  readonly progress: SharedArrayBuffer;
  /** What the functions are called, in their order. */
  readonly names: readonly string[];
}

/** Milliseconds from one look to the next. */
const LOOK_MS = 100;

const scope = self as unknown as { onmessage(event: MessageEvent<TrialWatchOrder>): void };
scope.onmessage = ({ data: { progress, names } }) => {
  const say = sayFor("try");
  const standstill = new Standstill(
    (_, i) =>
      say(`function ${names[i]} has not returned for 1 s: Ctrl-C ends its trial`, {
        level: "error",
      }),
    () => say("the function has returned"),
  );
  const lcores = [new Progress(progress)];
  setInterval(() => standstill.look(lcores, performance.now()), LOOK_MS);
};
