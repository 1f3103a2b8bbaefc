import assert from "node:assert/strict";
import { QmpClient } from "../../app/vm/qmp.ts";
import type { Lab, Running } from "../kit/lab.ts";
import { exists, isThere } from "../kit/processes.ts";
import { qemuOf, startVm } from "../kit/vm.ts";
import { until } from "../kit/wait.ts";

/** A guest on the stage. */
export interface StageGuest {
  /** The process whose memory and descriptors are watched. */
  readonly pid: number;
  /** What it has said. */
  readonly said: string;
  /** Start it, without waiting for it. */
  start(): void;
  /** Kill it. */
  kill(): Promise<void>;
  /** Stop it in order: it must end with the status of a good end. */
  stop(): Promise<void>;
  /** Stop it from running. */
  freeze(): Promise<void>;
  /** Let it run again. */
  thaw(): Promise<void>;
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

  freeze(): Promise<void> {
    return this.#running.freeze();
  }

  thaw(): Promise<void> {
    this.#running.kill("SIGCONT");
    return Promise.resolve();
  }
}

/** A `culvert guest` in a VM, which pauses by its monitor. */
export class GuestVm implements StageGuest {
  readonly #monitor: string;
  #running!: Running;
  #qemu = 0;

  constructor(private readonly lab: Lab, private readonly guest: number) {
    this.#monitor = lab.newPath();
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
    const options = ["--guest", `${this.guest}`, "--doorbell", "--qmp", this.#monitor];
    this.#running = startVm(this.lab, options, ["--forward-mode", "macswap"]);
  }

  async kill(): Promise<void> {
    Deno.kill(this.pid, "SIGKILL");
    await this.#running.ended();
    if (exists(this.#monitor)) await Deno.remove(this.#monitor); // which a killed QEMU leaves
  }

  async stop(): Promise<void> {
    const { pid } = this;
    const { code, stderr } = await this.#running.stop("SIGINT");
    assert.equal(code, 130, stderr.slice(-2000));
    await until(() => !isThere(pid), `QEMU ${pid} ends`);
  }

  freeze(): Promise<void> {
    return this.#tell("stop");
  }

  thaw(): Promise<void> {
    return this.#tell("cont");
  }

  async #tell(command: "stop" | "cont"): Promise<void> {
    using client = await QmpClient.connect(this.#monitor);
    await client.execute(command);
  }
}
