import type { Command } from "../../app/cli/command.ts";
import { FAULTS } from "../stage/faults.ts";

/** `deno task soak`. */
export const SOAK = {
  program: "deno task",
  name: "soak",
  summary: "numbered frames through real processes, with faults among them",
  usage: ["[--minutes N] [options]"],
  options: {
    "minutes": {
      kind: "number",
      argument: "N",
      decimals: true,
      least: 0,
      default: 1,
      about: "how long; the round that is under way is finished",
    },
    "seed": {
      kind: "number",
      argument: "S",
      least: 1,
      otherwise: "a new one, which is printed",
      about: "of the order of faults and of frames",
    },
    "rate": {
      kind: "number",
      argument: "N",
      least: 1,
      default: 20_000,
      about: "frames a second that each of four interfaces sends",
    },
    "mtu": {
      kind: "number",
      argument: "BYTES",
      least: 68,
      default: 1500,
      about: "of all interfaces; frames are from 60 bytes to this plus 14",
    },
    "calm": {
      kind: "number",
      argument: "SECONDS",
      decimals: true,
      least: 0,
      default: 1,
      about: "of traffic before each fault, on average",
    },
    "vm": {
      kind: "flag",
      about: "the second guest is a VM, under TCG: use a rate of some 2000",
    },
    "fault": {
      kind: "choice",
      argument: "NAME",
      many: true,
      choices: [...FAULTS.filter(({ weight }) => weight > 0).map(({ name }) => name), "list"],
      otherwise: "all",
      about: "only this fault, may be given again; list lists them",
    },
    "json": { kind: "text", argument: "FILE", about: "write all that was measured" },
    "svg": {
      kind: "text",
      argument: "FILE",
      default: ".cache/soak.svg",
      about: "write the plot",
    },
  },
  text: [
    "SIGTERM ends it after the round that is under way.",
    "Exit status: 0, 1 if a promise was broken.",
  ],
} as const satisfies Command;
