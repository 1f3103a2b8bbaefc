import { stderrIsJournal } from "../linux/journal.ts";
import { type Level, type Log, type LogFormat, logWriter } from "../linux/log.ts";

/** The log of a command: writes lines to stderr, as `culvert host: LINE`. It never fails. */
export function sayFor(command: string): Log {
  return (line, about) => logWriter.line(`culvert ${command}`, line, about);
}

/** {@linkcode sayFor} a command that has the options of a log. */
export function logFor(
  command: string,
  values: { readonly log: LogFormat; readonly "log-level": Level },
): Log {
  logWriter.configure({
    format: values.log,
    level: values["log-level"],
    hasPriorities: stderrIsJournal(),
  });
  return sayFor(command);
}
