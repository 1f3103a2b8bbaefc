import type { Command } from "../../app/cli/command.ts";
import { MODES } from "./modes.ts";

/** `deno task stress`. */
export const STRESS = {
  program: "deno task",
  name: "stress",
  summary: "rings and mempools between Workers and processes",
  usage: ["[--seconds N] [--only MODE]"],
  options: {
    "seconds": {
      kind: "number",
      argument: "N",
      least: 1,
      default: 60,
      about: "for each mode; they are shared out among its teams",
    },
    "only": {
      kind: "choice",
      argument: "MODE",
      choices: MODES.map(({ name }) => name),
      otherwise: "all",
      about: "one mode",
    },
  },
} as const satisfies Command;
