import type { Command } from "../../app/cli/command.ts";

/** `deno task mutation`. */
export const MUTATION = {
  program: "deno task",
  name: "mutation",
  summary: "break rings, mempools, frames and ledger one way after another: their tests must fail",
  usage: [""],
  options: {},
} as const satisfies Command;
