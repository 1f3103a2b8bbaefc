import type { Command } from "../app/cli/command.ts";

/** What `deno task proof` runs. */
interface Proof {
  /** A task of deno.json, and its arguments. */
  readonly task: string;
  readonly args: readonly string[];
  /** What it shows if it ends well. */
  readonly shows: string;
  /** How long it takes on two idle cores. */
  readonly minutes: number;
}

export const PROOFS = [
  {
    task: "model",
    args: [],
    shows: "all states of the models hold, and do not without any one of their edges",
    minutes: 2,
  },
  {
    task: "mutation",
    args: [],
    shows:
      "the tests of rings, mempools, frames, super-frames, ledger, lives notice what breaks these",
    minutes: 1,
  },
  {
    task: "sim",
    args: ["--steps", "20000000"],
    shows: "hosts, guests and servers that fail anywhere lose no mbuf and double no frame",
    minutes: 5,
  },
  {
    task: "litmus",
    args: ["--seconds", "10"],
    shows: "clang's sanitizers find nothing in the shim, and find what is taken out",
    minutes: 4,
  },
  {
    task: "stress",
    args: ["--seconds", "20"],
    shows: "no object is lost or doubled between Workers and processes",
    minutes: 7,
  },
  {
    task: "hostile",
    args: ["--seconds", "180"],
    shows: "hostile guests break no promise of the host",
    minutes: 4,
  },
  {
    task: "deaths",
    args: ["--times", "20"],
    shows: "all is well after each kind of death",
    minutes: 14,
  },
  {
    task: "swaps",
    args: ["500"],
    shows: "functions that are swapped under traffic lose no frame and leave no memory behind",
    minutes: 2,
  },
  {
    task: "changes",
    args: ["200"],
    shows: "neither numbered frames nor iperf3's are lost while a port comes and goes 100 times",
    minutes: 5,
  },
  {
    task: "frames",
    args: ["5000000"],
    shows: "ten million frames come through a guest process unchanged, in order",
    minutes: 2,
  },
  {
    task: "soak",
    args: ["--minutes", "5"],
    shows: "every frame is right, in order or counted as lost, while things die",
    minutes: 6,
  },
  {
    task: "machines",
    args: [],
    shows: "a Debian in a VM, pairs of VMs, a VM that migrates, an emulated arm64 do their work",
    minutes: 15,
  },
] as const satisfies readonly Proof[];

const TASKS = PROOFS.map(({ task }) => task);

/** `deno task proof`. */
export const PROOF = {
  program: "deno task",
  name: "proof",
  summary:
    "all that takes long: models, mutations, litmus programs, stress, deaths, whole machines",
  usage: ["[--only TASK,TASK...]"],
  options: {
    "only": {
      kind: "list",
      argument: "TASK,TASK...",
      choices: TASKS,
      otherwise: "all",
      about: "some of it",
    },
  },
  text: ["Needs root, and what `deno task test` installs. Each task's output is in .cache/proof."],
} as const satisfies Command;
