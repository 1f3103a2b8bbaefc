import type { Command } from "../../app/cli/command.ts";

/** `deno task mutation`. */
export const MUTATION = {
  program: "deno task",
  name: "mutation",
  summary:
    "break rings, mempools, frames, super-frames, ledger, lives one way after another: tests must fail",
  usage: [""],
  options: {},
} as const satisfies Command;
