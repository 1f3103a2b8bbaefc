import type { Command } from "../../app/cli/command.ts";

/** `deno task sim`. */
export const SIM = {
  program: "deno task",
  name: "sim",
  summary: "hosts, guests and servers that fail anywhere, in one thread, under a seed",
  usage: ["[--seed N] [--steps N] [--trace]"],
  options: {
    "seed": {
      kind: "number",
      argument: "N",
      least: 0,
      otherwise: "another one each time",
      about: "what decides all that happens",
    },
    "steps": {
      kind: "number",
      argument: "N",
      least: 1,
      default: 5_000_000,
      about: "altogether, in worlds of 250000 with a seed each",
    },
    "trace": { kind: "flag", about: "print the last steps of a world that fails" },
  },
} as const satisfies Command;
