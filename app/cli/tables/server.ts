import type { Command } from "../command.ts";
import { SERVER_VECTORS_MAX } from "../../ivshmem/vectors.ts";
import { LOG, SOCKET } from "./shared.ts";

/** `culvert server`. */
export const SERVER = {
  name: "server",
  summary: "keep a region alive and tell its peers of each other",
  usage: ["[options]"],
  options: {
    "socket": {
      ...SOCKET,
      about: "the socket to listen at: NAME stands for /run/culvert/NAME.sock. QEMU's server " +
        "listens at /tmp/ivshmem_socket",
    },
    "shm-name": {
      kind: "text",
      short: "M",
      argument: "NAME",
      about: "keep the region in the POSIX shared memory object NAME, in /dev/shm: used if it is " +
        "there, else made, and removed in the end",
    },
    "folder": {
      kind: "text",
      short: "m",
      argument: "FOLDER",
      otherwise: "a memfd, sealed, so that no peer can cut it short",
      about: "keep it in a file without a name there, such as on hugetlbfs",
    },
    "fd": {
      kind: "number",
      argument: "N",
      least: 3,
      most: 2 ** 20,
      about: "serve the memory that is open as descriptor N: with this a host whose server has " +
        "ended starts another one",
    },
    "first-id": {
      kind: "number",
      argument: "N",
      least: 0,
      most: 65535,
      otherwise: "0",
      about: "the first peer id to give",
    },
    "report": {
      kind: "number",
      argument: "N",
      least: 3,
      most: 2 ** 20,
      about: "a socket that is open as descriptor N: the process id is sent there once it is " +
        "ready, in 64 bits, or a negative number if it cannot be",
    },
    "size": {
      kind: "size",
      short: "l",
      argument: "SIZE",
      default: "64M",
      about: "its size: 65536, 512K, 64M, 1G; rounded up to a power of two, for QEMU takes no " +
        "other",
    },
    "vectors": {
      kind: "number",
      short: "n",
      argument: "VECTORS",
      least: 0,
      most: SERVER_VECTORS_MAX,
      default: 1,
      about: "interrupt vectors of each peer",
    },
    "foreground": {
      kind: "flag",
      short: "F",
      about: "stay in the foreground; without it, the server goes on as a daemon once it is ready",
    },
    "verbose": { kind: "flag", short: "v", about: "say who joins and leaves; with -F only" },
    "pidfile": {
      kind: "text",
      short: "p",
      argument: "PIDFILE",
      about: "write the process id there; removed in the end",
    },
    ...LOG,
    "until-unused": {
      kind: "flag",
      about: "end when no peer is connected and the host has closed the region, or never began " +
        "it; 60 s after the last peer if a host died in it. With this a host that finds no " +
        "server starts one",
    },
    "group": {
      kind: "text",
      argument: "NAME",
      about: "a group that may connect, too: the socket's mode is 0660, not 0600",
    },
    "user": {
      kind: "text",
      argument: "NAME",
      about: "the user to become once it is ready; that user may connect",
    },
  },
  text: [
    "Speaks QEMU's ivshmem protocol, version 0: its ivshmem-doorbell, ivshmem-client and " +
    "culvert's host, guest and client are peers alike. Once it is ready it gives up all " +
    "capabilities. A peer that takes no message for 30 s, or that says anything, is cut off. " +
    "SIGINT, SIGTERM or SIGHUP ends it: peers keep the memory and go on.",
  ],
  examples: [{ line: "culvert server -F -v -S culvert0 -l 64M -n 2" }],
} as const satisfies Command;
