import { fileURLToPath } from "node:url";
import { Child } from "../child.ts";
import { buildProgram } from "./build_program.ts";
import { requirePrograms } from "./requirements.ts";

const SOURCE = fileURLToPath(new URL("./guest_hop.c", import.meta.url));

/** How a {@linkcode startGuestHop} is started. */
export interface GuestHopOptions {
  /** As `culvert host` takes them: two, `packet:eth1` or `tap:tap0`. */
  readonly ports: readonly string[];
  /** The core of the host thread, and that of the guest thread. */
  readonly cores: readonly [host: number, guest: number];
  /** How long an idle thread looks for work before it sleeps, in microseconds. */
  readonly spin: number;
}

/**
 * Start the forwarder in C: a host thread and a guest thread that pass super-frames whole.
 *
 * @throws {CulvertError} if it cannot be built or started.
 */
export async function startGuestHop(
  { ports, cores, spin }: GuestHopOptions,
): Promise<AsyncDisposable> {
  await requirePrograms("cc");
  const program = await buildProgram([SOURCE], "native", "libc");
  await using running = new AsyncDisposableStack();
  const child = running.use(
    new Child("guest_hop", [program, ...ports, ...cores.map(String), String(spin)]),
  );
  await child.hear(/ready/);
  return running.move();
}
