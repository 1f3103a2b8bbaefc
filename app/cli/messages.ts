import { stderr } from "../linux/output.ts";

/** What says a line of a command on stderr, as `culvert host: LINE`. It never fails. */
export function sayFor(command: string): (line: string) => void {
  return (line) => stderr.line(`culvert ${command}: ${line}`);
}
