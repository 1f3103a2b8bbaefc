/** A terminal and a task runner may both pass on one Ctrl-C: signals so close are one. */
const ONE_SIGNAL_MS = 1000;

/** A signal that aborts on SIGINT or SIGTERM; a later one ends the process at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  let first = 0;
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(name, () => {
      if (!controller.signal.aborted) first = performance.now();
      else if (performance.now() - first > ONE_SIGNAL_MS) Deno.exit(130);
      controller.abort();
    });
  }
  return controller.signal;
}
