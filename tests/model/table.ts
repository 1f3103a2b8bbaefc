import type { Command } from "../../app/cli/command.ts";
import { MODELS } from "./models.ts";

/** `deno task model`. */
export const MODEL = {
  program: "deno task",
  name: "model",
  summary: "search all states of the Promela models: rings, sleeping flag, a guest's life",
  usage: ["[--long]", "NAME [MACRO=VALUE...]"],
  positionals: [
    {
      name: "NAME",
      optional: true,
      choices: MODELS.map(({ name }) => name),
      about: "one model, and the shortest way to what it violates; without it all models, with " +
        "each ordering edge and without",
    },
    {
      name: "MACRO=VALUE",
      optional: true,
      many: true,
      about: "a size, or an ordering edge that is left out, such as S1=false",
    },
  ],
  options: {
    "long": { kind: "flag", about: "larger sizes too: some minutes, and 8 GB of memory" },
  },
  text: ["Needs the packages spin, gcc and libc6-dev. See tests/model/README.md."],
} as const satisfies Command;
