import type { Command } from "../command.ts";
import { GUEST_NUMBER, REGION } from "./shared.ts";

/** `culvert push`. */
export const PUSH = {
  name: "push",
  summary: "give a running guest another function, also in a VM",
  usage: ["FUNCTION [REGION] [options]"],
  positionals: [
    {
      name: "FUNCTION",
      about: "a file of yours, as ./my.ts, or one that comes with culvert, as l2fwd",
    },
    { name: "REGION", optional: true, about: "a region's NAME or PATH (default: culvert0)" },
  ],
  options: {
    "region": { ...REGION, about: "the same as REGION" },
    "guest": {
      ...GUEST_NUMBER,
      default: 0,
      about: "which guest of the region it is for",
    },
    "position": {
      kind: "number",
      argument: "N",
      least: 1,
      most: 64,
      otherwise: "that of the same name, or the only one",
      about: "which function of the guest's chain it replaces",
    },
    "set": {
      kind: "text",
      argument: "KEY=VALUE",
      many: true,
      about:
        "an option of the function; without any, it has those of the function that it replaces, " +
        "if that is of the same name",
    },
    "timeout": {
      kind: "number",
      argument: "S",
      least: 1,
      most: 3600,
      default: 60,
      about: "seconds that the guest may take to answer",
    },
  },
  text: [
    "The file is bundled here with all that it imports, and left in the region. The guest, which " +
    "was started with --push, tries it on a burst of its own, lets it take over between two " +
    "bursts, and answers. What it logs and throws names lines of your files. When " +
    "the guest starts again, it has the functions of its own command line, in a VM of its image.",
    "Exit status: 0 if the function has taken over, 1 if it has not, 2 for a wrong command line.",
  ],
  examples: [
    { line: "culvert push ./my.ts culvert0" },
    { about: "a guest that takes functions, in a VM", line: "culvert qemu --run -- --push" },
  ],
} as const satisfies Command;
