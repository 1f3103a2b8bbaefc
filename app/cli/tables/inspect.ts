import type { Command } from "../command.ts";
import { REGION } from "./shared.ts";

/** `culvert inspect`. */
export const INSPECT = {
  name: "inspect",
  summary: "decode a region without disturbing it",
  usage: [
    "REGION [--json] [--watch SECONDS]",
    "--pci auto|ADDRESS [--json] [--watch SECONDS]",
  ],
  positionals: [{
    name: "REGION",
    optional: true,
    about: "a region's NAME or the PATH of its memory; /proc/PID/fd/N will do",
  }],
  options: {
    "region": { ...REGION, about: "the same as REGION" },
    "pci": {
      kind: "text",
      argument: "auto|ADDRESS",
      words: ["auto"],
      about: "in a VM: the first ivshmem device, or the one at an address",
    },
    "json": { kind: "flag", about: "for programs; what cannot be told is null" },
    "watch": {
      kind: "number",
      argument: "SECONDS",
      least: 1,
      most: 86_400,
      about: "again and again, until SIGINT; with --json a line each time",
    },
  },
  text: [
    "Shows header, guests, channels, rings with their fill, mempools and memzones, what the " +
    "host has counted, and what functions count. The region is mapped for reading alone, and no " +
    "server is asked: nobody notices. Host and guests go on meanwhile, so that what is shown " +
    "together are words of slightly different moments. A region that is half-built, closed, of " +
    "another version or spoiled is described as far as it can be. Do not truncate a file that is " +
    "being looked at.",
    "Exit status: 0, 1 if there is nothing to look at, 2 for a wrong command line.",
  ],
  examples: [{ line: "culvert inspect culvert0" }],
} as const satisfies Command;
