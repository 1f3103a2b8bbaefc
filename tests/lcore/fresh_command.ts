import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { CommandWord } from "../../app/lcore/command.ts";

/** A command word of one test, unmapped and closed at its end. */
export function freshCommand(): CommandWord & Disposable {
  const command = CommandWord.create();
  const { memory, wakeFd } = command.handle;
  return Object.assign(command, {
    [Symbol.dispose]() {
      new MappedMemory(memory).close();
      shim.shim_fd_close(wakeFd);
    },
  });
}
