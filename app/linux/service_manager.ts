import { cString, shim } from "../../ffi/shim.ts";
import { environmentVariable } from "./environment.ts";

/** The first descriptor that a service manager passes (`SD_LISTEN_FDS_START`). */
const FIRST_FD = 3;

/** Reads a variable of the environment. */
export type Environment = (name: string) => string | undefined;

/**
 * The service manager that has started this process and watches it: systemd, by the protocols of
 * sd_notify(3) and sd_listen_fds(3). Programs that a service starts inherit its environment, but
 * must not speak for it.
 */
export class ServiceManager {
  /** No service manager: nobody hears what it is told. */
  static readonly NONE: ServiceManager = new ServiceManager(() => undefined);

  readonly #socket?: string;
  /** Milliseconds after which the process counts as stuck if it does not say that it lives. */
  readonly watchdogMs?: number;

  /** Find it by the environment. */
  constructor(private readonly environment: Environment = environmentVariable) {
    const socket = environment("NOTIFY_SOCKET");
    if (socket !== undefined && /^[/@]/.test(socket)) this.#socket = socket;
    if (!this.#socket || !this.#isForUs("WATCHDOG_PID", true)) return;
    const micros = Number(environment("WATCHDOG_USEC"));
    if (micros > 0) this.watchdogMs = micros / 1000;
  }

  /** Whether there is a service manager that wants to be told. */
  get listens(): boolean {
    return this.#socket !== undefined;
  }

  /**
   * Say something, such as `READY=1`, a line each; never waits, never fails.
   *
   * @param passed A descriptor to send with it.
   * @returns whether it was taken.
   */
  tell(lines: readonly string[], passed = -1): boolean {
    if (this.#socket === undefined) return false;
    return shim.shim_unix_tell(cString(this.#socket), cString(lines.join("\n")), passed) === 0;
  }

  /**
   * Have a descriptor kept for the next process of this service.
   *
   * @param name What {@linkcode inherited} calls it there.
   */
  store(name: string, fd: number): boolean {
    return this.tell(["FDSTORE=1", `FDNAME=${name}`, "FDPOLL=0"], fd);
  }

  /** The descriptors that were passed to this process, by their names; the first of each name. */
  get inherited(): ReadonlyMap<string, number> {
    if (!this.#isForUs("LISTEN_PID", false)) return new Map();
    const count = Number(this.environment("LISTEN_FDS") ?? 0);
    const names = (this.environment("LISTEN_FDNAMES") ?? "").split(":");
    const found = new Map<string, number>();
    for (let i = 0; i < count; i++) {
      const name = names[i] || "unknown";
      if (!found.has(name)) found.set(name, FIRST_FD + i);
    }
    return found;
  }

  /** Whether a variable names this process, or is missing where it may be. */
  #isForUs(name: string, mayBeMissing: boolean): boolean {
    const pid = this.environment(name);
    return pid === undefined ? mayBeMissing : Number(pid) === Deno.pid;
  }
}
