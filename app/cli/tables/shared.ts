import { MTU_MAX } from "../../host/host_options.ts";
import { LEVELS, LOG_FORMATS } from "../../linux/log.ts";

/** Cores to pin lcores to. Each command says which it takes if the option is left out. */
export const CORES = {
  kind: "text",
  short: "l",
  argument: "CORES",
} as const;

/** Frames that are moved at a time. */
export const BURST = {
  kind: "number",
  argument: "N",
  least: 1,
  most: 256,
  default: 32,
  about: "frames that are moved at a time",
} as const;

/** What an lcore does that finds no work. */
export const IDLE = {
  kind: "choice",
  argument: "MODE",
  choices: ["poll", "adaptive", "sleep"],
  default: "adaptive",
  about: "when there is nothing to do: poll; sleep until frames or a doorbell come; or adaptive: " +
    "poll as long as that pays, 0.2 ms at most, then sleep. Where there is no doorbell, a sleep " +
    "is a nap of up to 1 ms",
} as const;

/** The number of a guest. Each command says which it is if the option is left out. */
export const GUEST_NUMBER = {
  kind: "number",
  argument: "N",
  least: 0,
  most: 126,
} as const;

/** An MTU. */
export const MTU = {
  kind: "number",
  argument: "BYTES",
  least: 68,
  most: MTU_MAX,
  default: 1500,
} as const;

/** How often a table is printed. */
export const STATS_PERIOD = {
  kind: "number",
  short: "T",
  argument: "SECONDS",
  least: 0,
  most: 86_400,
} as const;

/** The socket of a region's server. */
export const SOCKET = {
  kind: "text",
  short: "S",
  argument: "NAME|PATH",
  default: "culvert0",
} as const;

/** Regions to read, as arguments. */
export const REGIONS_READ = {
  name: "REGION",
  optional: true,
  many: true,
  about: "a region's NAME or the PATH of its memory; without one, all regions whose servers " +
    "listen here",
} as const;

/** Types of functions are checked first. */
export const TYPES = {
  kind: "flag",
  about: "check the types of files in TypeScript first, as deno check does: a second or two, if " +
    "they have changed",
} as const;

/** The region of a host. */
export const REGION = {
  kind: "text",
  argument: "NAME|PATH",
  about: "the host's region",
} as const;

/** The monitor of a QEMU that runs. */
export const QMP = {
  kind: "text",
  argument: "SOCKET",
  about: "QEMU's monitor, as in: -qmp unix:SOCKET,server=on,wait=off",
} as const;

/** How a program that runs for long writes its log. */
export const LOG = {
  "log-level": {
    kind: "choice",
    argument: "LEVEL",
    choices: LEVELS,
    default: "info",
    about: "write lines of this level and more important ones",
  },
  "log": {
    kind: "choice",
    argument: "FORMAT",
    choices: LOG_FORMATS,
    meanings: {
      text: "lines for people",
      time: "with time (UTC) and level in front",
      json: "an object a line: time, level, program, message, cause",
    },
    default: "text",
    about: "how lines of the log are written, on stderr. Where that is systemd's journal, it is " +
      "told their priorities",
  },
} as const;
