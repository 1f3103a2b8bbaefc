import assert from "node:assert/strict";
import type { Lab, Running } from "../kit/lab.ts";
import { freeze } from "../kit/processes.ts";
import { qemuOf, startVm } from "../kit/vm.ts";

/** A guest on the stage: started anew whenever it has ended. */
export interface StageGuest {
  /** The process whose memory and descriptors are watched, and which pauses. */
  readonly pid: number;
  /** What it has said. */
  readonly said: string;
  /** Start it; it is not waited for. */
  start(): void;
  /** Let it die at once. */
  kill(): Promise<void>;
  /** Let it end in order: it must end well. */
  stop(): Promise<void>;
  /** Stop it from running. */
  freeze(): Promise<void>;
  /** Let it run again. */
  thaw(): void;
}

/** A `culvert guest` beside the host. */
export class GuestProcess implements StageGuest {
  #running!: Running;

  constructor(private readonly startIt: () => Running) {
    this.start();
  }

  get pid(): number {
    return this.#running.pid;
  }

  get said(): string {
    return this.#running.stderr;
  }

  start(): void {
    this.#running = this.startIt();
  }

  async kill(): Promise<void> {
    assert.equal((await this.#running.stop("SIGKILL")).code, 137, "it had ended before");
  }

  async stop(): Promise<void> {
    const { code, stderr } = await this.#running.stop("SIGTERM");
    assert.equal(code, 0, stderr.slice(-2000));
  }

  async freeze(): Promise<void> {
    await this.#running.freeze();
  }

  thaw(): void {
    this.#running.kill("SIGCONT");
  }
}

/** A `culvert guest` in a VM. */
export class GuestVm implements StageGuest {
  #running!: Running;
  #qemu = 0;

  constructor(private readonly lab: Lab, private readonly guest: number) {
    this.start();
  }

  /** QEMU's; until there is one, that of the program which starts it. */
  get pid(): number {
    try {
      this.#qemu ||= qemuOf(this.#running);
    } catch {
      return this.#running.pid;
    }
    return this.#qemu;
  }

  get said(): string {
    return this.#running.stderr + this.#running.stdout;
  }

  start(): void {
    this.#qemu = 0;
    this.#running = startVm(this.lab, "--guest", `${this.guest}`, "--doorbell");
  }

  async kill(): Promise<void> {
    Deno.kill(this.pid, "SIGKILL");
    await this.#running.ended();
  }

  async stop(): Promise<void> {
    const { code, stderr } = await this.#running.stop("SIGINT");
    assert.equal(code, 130, stderr.slice(-2000));
  }

  freeze(): Promise<void> {
    return freeze(this.pid);
  }

  thaw(): void {
    Deno.kill(this.pid, "SIGCONT");
  }
}
