import { CommandWord } from "../../app/lcore/command.ts";

/** A command word that does something each time the loop looks at it: once a turn. */
export class ScriptedCommand extends CommandWord {
  turns = 0;

  constructor(command: CommandWord, private readonly script: (turn: number) => void) {
    super(command.handle);
  }

  override get value(): number {
    this.script(this.turns++);
    return super.value;
  }

  override set value(command: number) {
    super.value = command;
  }
}
