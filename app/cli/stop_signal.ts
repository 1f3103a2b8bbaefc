import { outlivesTerminal } from "../linux/hangup.ts";
import type { Log } from "../linux/log.ts";
import { Launcher } from "../linux/launcher.ts";
import { stderr, stdout } from "../linux/output.ts";

/** A terminal and a task runner may both pass on one Ctrl-C: signals so close are one. */
const ONE_SIGNAL_MS = 1000;

/** Milliseconds that an orderly end may take. */
const DEADLINE_MS = 10_000;

/** Milliseconds between two looks whether the launcher is gone. */
const LAUNCHER_MS = 1000;

/** Exit status of a program that was asked a second time to end. */
const INTERRUPTED = 130;

/** How a program is stopped. */
export interface StopOptions {
  /** Milliseconds that an orderly end may take. */
  readonly deadlineMs?: number;
  /** Called on SIGHUP, which then stops nothing. */
  readonly hangsUp?: () => void;
}

/**
 * A signal that aborts when the program is to end in order: on SIGINT, SIGTERM or SIGHUP (a closed
 * terminal; unless nohup has started it), or when the `deno task` or npx that started it
 * has gone. A second signal ends the process at once, and so does a deadline: a loop that does not
 * return must not keep a process for ever.
 *
 * @param say Writes that the launcher is gone, or that the program does not end in time.
 */
export function stopSignal(
  say: Log,
  { deadlineMs = DEADLINE_MS, hangsUp }: StopOptions = {},
): AbortSignal {
  const controller = new AbortController();
  const stop = (why: string) => {
    if (controller.signal.aborted) return;
    const late = setTimeout(async () => {
      say(`has not ended ${deadlineMs / 1000} s after ${why}: a thread does not return; ends now`, {
        level: "error",
      });
      await Promise.all([stdout.flush(1000), stderr.flush(1000)]);
      Deno.exit(1);
    }, deadlineMs);
    Deno.unrefTimer(late);
    controller.abort();
  };
  let first = 0;
  const isToHangUp = !outlivesTerminal();
  let hasHungUp = false;
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(name, () => { // without a listener of SIGHUP, Deno would end by it
      if (name === "SIGHUP" && hangsUp) return hangsUp();
      if (name === "SIGHUP" && !isToHangUp) {
        hasHungUp = true;
        return;
      }
      if (!controller.signal.aborted) first = performance.now();
      else if (performance.now() - first > ONE_SIGNAL_MS) Deno.exit(INTERRUPTED);
      stop(name);
    });
  }
  // A write beyond the limit of file sizes is to fail, not to end a forwarder. This listener comes
  // after outlivesTerminal(): once there is one, Deno catches SIGHUP, too, and nothing tells any
  // more that nohup has it ignored.
  Deno.addSignalListener("SIGXFSZ", () => {});
  whenLauncherIsGone(controller.signal, (gone) => {
    if (hasHungUp) return; // the closed terminal has ended the launcher, but must not end us
    say(`stops, as the program that started it is gone: ${gone}`);
    stop("its launcher's end");
  });
  return controller.signal;
}

/** Call `tell`, once, a moment after the launcher has gone, unless `signal` has aborted before. */
function whenLauncherIsGone(signal: AbortSignal, tell: (gone: string) => void): void {
  const launcher = Launcher.of(() => Deno.ppid);
  if (!launcher) return;
  let found: string | undefined;
  const timer = setInterval(() => {
    if (signal.aborted || found !== undefined) clearInterval(timer);
    if (!signal.aborted && found !== undefined) tell(found);
    found = launcher.gone;
  }, LAUNCHER_MS);
  Deno.unrefTimer(timer);
}
