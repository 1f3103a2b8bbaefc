import type { Command } from "../../app/cli/command.ts";
import { FAULTS } from "../stage/faults.ts";
import { CREATORS } from "./dying_creator.ts";

/** `deno task hostile`. */
export const HOSTILE = {
  program: "deno task",
  name: "hostile",
  summary: "guests that do what they can to a host",
  usage: ["[--seed N] [--seconds S]"],
  options: {
    "seed": {
      kind: "number",
      argument: "N",
      least: 0,
      otherwise: "a new one, which is printed",
      about: "of all decisions. The same seed decides the same",
    },
    "seconds": {
      kind: "number",
      argument: "S",
      least: 1,
      default: 60,
      about: "how long the attacks in memory take together; one on real ports takes 5 s more",
    },
  },
} as const satisfies Command;

/** `deno task deaths`. */
export const DEATHS = {
  program: "deno task",
  name: "deaths",
  summary: "kill, stop and pause one thing after another, under traffic",
  usage: ["[--times N] [--only NAME,NAME...] [--vm] [--seed N]"],
  options: {
    "times": {
      kind: "number",
      argument: "N",
      least: 1,
      default: 200,
      about: "how often each fault comes",
    },
    "only": {
      kind: "list",
      argument: "NAME,NAME...",
      choices: [...FAULTS.filter(({ weight }) => weight > 0), ...CREATORS].map(({ name }) => name),
      otherwise: "all",
      about: "no other faults than these",
    },
    "vm": { kind: "flag", about: "around a VM alone, a fourth as often" },
    "seed": {
      kind: "number",
      argument: "N",
      least: 0,
      otherwise: "a new one, which is printed",
      about: "of when they come",
    },
  },
  text: [
    "SIGINT and SIGTERM end it after the fault that is under way, with status 130 and 143.",
  ],
} as const satisfies Command;
