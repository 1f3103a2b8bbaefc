import type { Command } from "../../app/cli/command.ts";
import { DEATHS as KINDS } from "./death_kinds.ts";
import { VM_DEATHS } from "./death_vm_kinds.ts";

/** `deno task hostile`. */
export const HOSTILE = {
  program: "deno task",
  name: "hostile",
  summary: "guests that do what they can to a host",
  usage: ["[--seed N] [--seconds S] [--pairs N]"],
  options: {
    "seed": {
      kind: "number",
      argument: "N",
      least: 0,
      otherwise: "a new one, which is told",
      about: "of all decisions. The same seed decides the same",
    },
    "seconds": {
      kind: "number",
      argument: "S",
      least: 1,
      default: 60,
      about: "how long: shared out among sieges with quarantine, and without, so that nobody is " +
        "shut out, with one lcore and with two",
    },
    "pairs": {
      kind: "number",
      argument: "N",
      least: 0,
      default: 0,
      about: "then measure what a sound guest's rate is beside one that attacks, and beside one " +
        "that does not, N times",
    },
  },
} as const satisfies Command;

/** `deno task deaths`. */
export const DEATHS = {
  program: "deno task",
  name: "deaths",
  summary: "kill one thing after another, under traffic",
  usage: ["[--times N] [--only KIND,KIND...] [--seed N]"],
  options: {
    "times": {
      kind: "number",
      argument: "N",
      least: 1,
      default: 200,
      about: "deaths of each kind",
    },
    "only": {
      kind: "list",
      argument: "KIND,KIND...",
      choices: Object.keys({ ...KINDS, ...VM_DEATHS }),
      otherwise: "all",
      about: "kinds of deaths",
    },
    "seed": {
      kind: "number",
      argument: "N",
      least: 0,
      otherwise: "a new one, which is told",
      about: "of when they die",
    },
  },
  text: [
    "SIGINT and SIGTERM end it after the death that is under way, and all that was made for it.",
  ],
} as const satisfies Command;
