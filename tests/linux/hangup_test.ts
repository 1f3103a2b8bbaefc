import { equal } from "node:assert/strict";
import { outlivesTerminal } from "../../app/linux/hangup.ts";

/** Files of /proc/self: the signals that are ignored, and the flags of stdin. */
function files(ignored: string, flags: string): (file: string) => string {
  return (file) =>
    file === "status"
      ? `Name:\tdeno\nSigBlk:\t0000000000000001\nSigIgn:\t${ignored}\nSigCgt:\t0000000000000001\n`
      : `pos:\t0\nflags:\t${flags}\nmnt_id:\t27\n`;
}

Deno.test("outlivesTerminal() sees nohup by SIGHUP that is ignored, or by a stdin that cannot be read", () => {
  equal(outlivesTerminal(files("0000000000001001", "0100002")), true);
  equal(outlivesTerminal(files("0000000000001000", "0100001")), true);
  equal(outlivesTerminal(files("0000000000001000", "0100002")), false, "a terminal");
  equal(outlivesTerminal(files("0000000000001000", "0100000")), false, "/dev/null, to be read");
});

Deno.test("outlivesTerminal() can be asked of this process", () => {
  equal(typeof outlivesTerminal(), "boolean");
});
