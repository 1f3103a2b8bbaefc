import type { Command } from "../command.ts";

/** `culvert layout`. */
export const LAYOUT = {
  name: "layout",
  summary: "show sockets, cores, caches and nodes, and which cores to use",
  usage: ["[--json]"],
  options: { "json": { kind: "flag", about: "for programs" } },
  text: [
    "A number is a CPU as -l takes it; [1 17] are two threads of one core. Below the table stand " +
    "the caches and who shares them, NUMA nodes with their hugepages, and a proposal: two " +
    "physical cores behind one L3 cache, isolated ones if there are any, away from core 0.",
  ],
} as const satisfies Command;
