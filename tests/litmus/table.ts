import type { Command } from "../../app/cli/command.ts";

/** `deno task litmus`. */
export const LITMUS = {
  program: "deno task",
  name: "litmus",
  summary: "litmus tests of the shim under clang's sanitizers",
  usage: ["[--seconds N]"],
  options: {
    "seconds": {
      kind: "number",
      argument: "N",
      least: 1,
      default: 10,
      about: "for each program; hostile.c gets another seed each time",
    },
  },
  text: ["Needs the packages clang, libclang-rt-14-dev and libc6-dev."],
} as const satisfies Command;
