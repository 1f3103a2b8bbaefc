import { fileURLToPath } from "node:url";
import { Child } from "./child.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** How a guest is started. */
interface GuestOptions {
  readonly region: string;
  /** The core that it is pinned to. */
  readonly core: number;
  /** What it does to frames: `io`, `macswap`. */
  readonly mode: string;
  readonly burst?: number;
  readonly idle: "poll" | "adaptive";
}

/** A `culvert guest` process. */
export function startGuest({ region, core, mode, burst = 32, idle }: GuestOptions): Child {
  return start("guest", ["--allow-read=."], [
    ...["--region", region, "-l", String(core), "-T", "0", "--idle", idle],
    ...["--forward-mode", mode, "--burst", String(burst)],
  ]);
}

/** How a host is started. */
interface HostOptions {
  readonly core: number;
  /** As on the command line: `packet:eth1`. */
  readonly ports: readonly string[];
  readonly idle: "poll" | "adaptive";
  /** More of its arguments. */
  readonly args?: readonly string[];
}

/** A host and a guest between its ports, in a region of their own. */
interface ForwarderOptions {
  readonly host: HostOptions;
  readonly guest: Pick<GuestOptions, "core" | "idle">;
}

/** Where a host may read and write, as the task `host` has it. */
const DIRECTORIES = "/run/culvert,/dev/shm,/dev/hugepages";

/** Start `culvert host` and a guest that hands frames on as they are; wait until it is attached. */
export async function startForwarder({ host, guest }: ForwarderOptions): Promise<AsyncDisposable> {
  await using programs = new AsyncDisposableStack();
  const region = `bench-${Deno.pid}`;
  const running = programs.use(start("host", [
    `--allow-read=.,${DIRECTORIES}`,
    `--allow-write=${DIRECTORIES}`,
    "--allow-run",
  ], [
    ...["--region", region, "-l", String(host.core), "--idle", host.idle],
    ...host.ports.flatMap((port) => ["--port", port]),
    ...host.args ?? [],
  ]));
  await running.hear(/ is ready: /);
  const forwarding = programs.use(startGuest({ ...guest, region, mode: "io" }));
  await forwarding.during("wait for the guest to attach", running.hear(/attached/));
  return programs.move();
}

function start(command: "host" | "guest", permissions: string[], args: string[]): Child {
  return new Child(`culvert ${command}`, [
    ...[Deno.execPath(), "run", "--no-prompt", "--no-check"],
    "--allow-ffi=.cache/shim/libculvert.so",
    ...permissions,
    ...["app/main.ts", command, ...args],
  ], { cwd: ROOT, heard: "stderr" });
}
