/**
 * What each command needs of Deno. The package's launcher is made from this table; the tasks of
 * deno.json have the same permissions: a test compares them.
 *
 * @module
 */

/** Where a command finds its own files. */
export interface Places {
  /** The folder of the code. */
  readonly code: string;
  /** The shim. */
  readonly shim: string;
}

/** Stands for {@linkcode Places.code} in a list of paths. */
const CODE = "";

/**
 * What a command may do: everything; or load the shim, read and write paths, run programs, listen,
 * see variables.
 */
type Needs = "everything" | {
  readonly shim: boolean;
  readonly read?: readonly string[] | "everything";
  readonly write?: readonly string[] | "everything";
  readonly run?: readonly string[];
  readonly net?: "everything";
  readonly env?: readonly string[];
};

const MEMORY = ["/run/culvert", "/dev/shm", "/dev/hugepages"];

/** What each command needs, by its name. */
const NEEDS: Readonly<Record<string, Needs>> = {
  host: { shim: true, read: [CODE, ...MEMORY], write: MEMORY },
  check: { shim: true, read: [CODE] },
  ctl: { shim: true, read: [CODE] },
  fabric: { shim: true, read: [CODE] },
  guest: { shim: true, read: [CODE] },
  run: { shim: true, read: "everything", write: ["/run/culvert", "/dev/shm"] },
  try: { shim: true, read: "everything", write: "everything" },
  server: { shim: true, read: "everything", write: "everything" },
  client: { shim: true, read: [CODE] },
  image: "everything",
  qemu: "everything",
  push: "everything",
  plug: "everything",
  unplug: "everything",
  inspect: "everything",
  top: { shim: true, read: [CODE] },
  metrics: { shim: true, read: [CODE], net: "everything", env: ["OTEL_DENO"] },
  "vm-install": "everything",
  units: { shim: false, read: "everything", write: "everything" },
  capture: { shim: true, read: [CODE], run: ["tcpdump"] },
  extcap: {
    shim: true,
    read: [CODE, "/run/culvert"],
    run: ["tcpdump"],
  },
  gen: { shim: true, read: [CODE] },
  doctor: "everything",
  layout: { shim: true, read: [CODE] },
  completions: { shim: false },
  man: { shim: false },
};

/** The commands that {@linkcode denoFlags} knows. */
export const PERMITTED: readonly string[] = Object.keys(NEEDS);

/** The options of `deno run` that let a command do what it needs, and no more. */
export function denoFlags(command: string, places: Places): string[] {
  const needs = NEEDS[command];
  if (needs === "everything") return ["-A"];
  const option = (name: string, paths: readonly string[] | "everything" | undefined) => {
    if (paths === undefined) return [];
    if (paths === "everything") return [`--allow-${name}`];
    return [`--allow-${name}=${paths.map((path) => path === CODE ? places.code : path).join(",")}`];
  };
  return [
    ...(needs.shim ? ["--no-prompt", `--allow-ffi=${places.shim}`] : []),
    ...option("read", needs.read),
    ...option("write", needs.write),
    ...option("run", needs.run),
    ...option("net", needs.net),
    ...option("env", needs.env),
  ];
}
