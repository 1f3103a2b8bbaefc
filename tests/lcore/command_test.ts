import { equal } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { COMMAND, CommandWord } from "../../app/lcore/command.ts";
import { freshCommand } from "./fresh_command.ts";

/** How many of the command's eventfds are readable: 1 if it wakes sleepers. */
function ready(command: CommandWord): number {
  return shim.shim_poll(Int32Array.of(command.handle.wakeFd), 1, 0);
}

Deno.test("CommandWord says RUN at first, and wakes nobody", () => {
  using command = freshCommand();
  equal(command.value, COMMAND.RUN);
  equal(ready(command), 0);
});

for (const name of ["DRAIN", "STOP"] as const) {
  Deno.test(`CommandWord tells ${name} to whoever has its handle, and wakes those that sleep`, () => {
    using command = freshCommand();
    const other = new CommandWord({ ...command.handle });
    command.value = COMMAND[name];
    equal(other.value, COMMAND[name]);
    equal(ready(other), 1);
    equal(ready(other), 1, "it stays signalled: nobody sleeps again");
  });
}
