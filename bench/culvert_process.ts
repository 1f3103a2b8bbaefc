import { fileURLToPath } from "node:url";
import { Child } from "./child.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** How a guest is started. */
interface GuestOptions {
  readonly region: string;
  /** Its number, 0 unless told. */
  readonly number?: number;
  /** The core that it is pinned to. */
  readonly core: number;
  /** What it does to frames: `--function macswap`. */
  readonly functions: readonly string[];
  readonly burst?: number;
  readonly idle: "poll" | "adaptive" | "sleep";
}

/** A `culvert guest` process. */
export function startGuest(options: GuestOptions): Child {
  const { region, number = 0, core, functions, burst = 32, idle } = options;
  return start("guest", ["--allow-read=."], [
    ...["--region", region, "--guest", String(number)],
    ...["-l", String(core), "-T", "0", "--idle", idle],
    ...["--burst", String(burst), ...functions],
  ]);
}

/** How a host is started. */
interface HostOptions {
  readonly core: number;
  readonly idle: "poll" | "adaptive" | "sleep";
  /** More of its arguments. */
  readonly args?: readonly string[];
}

/** A guest, and the ports that it is between. */
interface PlaceOptions extends Pick<GuestOptions, "core" | "idle"> {
  /** As on the command line: `packet:eth1`. */
  readonly ports: readonly string[];
}

/** A host and guests between its ports, in a region of their own. */
interface ForwarderOptions {
  readonly host: HostOptions;
  readonly guests: readonly PlaceOptions[];
}

/** Where a host may read and write, as the task `host` has it. */
const DIRECTORIES = "/run/culvert,/dev/shm,/dev/hugepages";

/** The region of {@linkcode startHost}. */
export const HOST_REGION = `bench-${Deno.pid}`;

/** Start `culvert host`, in {@linkcode HOST_REGION}, with the ports of each of its guests. */
export async function startHost(
  { core, idle, args = [] }: HostOptions,
  guests: readonly Pick<PlaceOptions, "ports">[],
): Promise<Child> {
  await using starting = new AsyncDisposableStack();
  const host = starting.use(start("host", [
    `--allow-read=.,${DIRECTORIES}`,
    `--allow-write=${DIRECTORIES}`,
    "--allow-run",
  ], [
    ...["--region", HOST_REGION, "-l", String(core), "--idle", idle],
    ...guests.flatMap(({ ports }, number) => [
      ...["--guest", String(number)],
      ...ports.flatMap((port) => ["--port", port]),
    ]),
    ...args,
  ]));
  await host.hear(/ is ready: /);
  starting.move();
  return host;
}

/**
 * Start `culvert host` and guests that hand frames on as they are; wait until they are attached.
 */
export async function startForwarder({ host, guests }: ForwarderOptions): Promise<AsyncDisposable> {
  await using programs = new AsyncDisposableStack();
  const running = programs.use(await startHost(host, guests));
  for (const [number, guest] of guests.entries()) {
    const functions = ["--function", "io"];
    const options = { ...guest, region: HOST_REGION, number, functions };
    const forwarding = programs.use(startGuest(options));
    const isThere = running.hear(new RegExp(`guest ${number} attached`));
    await forwarding.during("wait for the guest to attach", isThere);
  }
  return programs.move();
}

/** `culvert qemu --run` with the host's region and a shell on the console, which is asked. */
export function startShellVm(args: readonly string[]): Child {
  return new Child("the VM", [
    ...[Deno.execPath(), "run", "-A", "--no-check", "--lock=deno.lock", "app/main.ts", "qemu"],
    ...["--run", "--shell", "--region", HOST_REGION, ...args],
  ], { cwd: ROOT, hasInput: true });
}

function start(command: "host" | "guest", permissions: string[], args: string[]): Child {
  return new Child(`culvert ${command}`, [
    ...[Deno.execPath(), "run", "--no-prompt", "--no-check"],
    "--allow-ffi=.cache/shim/libculvert.so",
    ...permissions,
    ...["app/main.ts", command, ...args],
  ], { cwd: ROOT, heard: "stderr" });
}
