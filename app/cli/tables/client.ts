import type { Command } from "../command.ts";
import { SOCKET } from "./shared.ts";

/** The commands of a client: what each is written as, and what it does. */
export const CLIENT_COMMANDS = [
  ["dump", "list us, all peers, and their vectors"],
  ["int PEER VECTOR", "interrupt a peer at one vector"],
  ["int PEER all", "interrupt a peer at all its vectors"],
  ["int all", "interrupt all peers at all their vectors"],
  [
    "wait [VECTOR|any] [SECONDS]",
    "wait until an interrupt has come that no wait has seen before; fails if none comes in time",
  ],
  ["help", "show this text"],
  ["quit", "leave"],
] as const;

/** `culvert client`. */
export const CLIENT = {
  name: "client",
  summary: "a peer that does what it is told, as QEMU's ivshmem-client",
  usage: ["[-S NAME|PATH] [-v] [-c COMMAND]..."],
  options: {
    "socket": {
      ...SOCKET,
      about: "the server's socket: NAME stands for /run/culvert/NAME.sock. QEMU's server listens " +
        "at /tmp/ivshmem_socket",
    },
    "command": {
      kind: "text",
      short: "c",
      argument: "COMMAND",
      many: true,
      about: "do this, then the next -c, then leave. Without one, commands come from stdin, a " +
        'line each, to its end; ";" separates several in a line',
    },
    "verbose": {
      kind: "flag",
      short: "v",
      about: "say what we are when we have connected",
    },
  },
  text: [
    "Commands:",
    CLIENT_COMMANDS,
    'It says, a line each: "peer ID joined", "peer ID left", "interrupt VECTOR", "server gone: ' +
    '..." and "failed: ..." if a command fails. Unless stdin is a terminal, the first that fails ' +
    "ends it, with exit status 1.",
  ],
  examples: [{ line: "culvert client -S culvert0 -c 'int 0 0' -c 'wait any 5'" }],
} as const satisfies Command;
