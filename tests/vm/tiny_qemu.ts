/**
 * A real QEMU whose machine does not run: enough to talk to.
 *
 * @module
 */
import { QmpClient } from "../../app/vm/qmp.ts";
import { PATIENCE_MS, pause } from "../kit/wait.ts";

/** A QEMU, to be disposed of: `await using qemu = await TinyQemu.start(...)`. */
export class TinyQemu implements AsyncDisposable {
  private constructor(
    readonly child: Deno.ChildProcess,
    /** A folder that is removed in the end. */
    readonly folder: string,
    /** The monitor, for one client; {@linkcode TinyQemu.qmp} is that. */
    readonly socket: string,
    /** A second monitor. */
    readonly secondSocket: string,
    readonly qmp: QmpClient,
  ) {}

  /** Start a QEMU with 16 MiB of memory, stopped before the first instruction. */
  static async start(...args: string[]): Promise<TinyQemu> {
    const folder = await Deno.makeTempDir({ prefix: "culvert-test-" });
    const [socket, secondSocket] = [`${folder}/qmp`, `${folder}/qmp2`];
    const monitors = [socket, secondSocket]
      .flatMap((path) => ["-qmp", `unix:${path},server=on,wait=off`]);
    // deno-fmt-ignore
    const child = new Deno.Command("qemu-system-x86_64", {
      args: [
        "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-S",
        "-machine", "q35", "-accel", "tcg", "-m", "16", ...monitors, ...args,
      ],
      stdin: "null",
    }).spawn();
    try {
      return new TinyQemu(child, folder, socket, secondSocket, await connect(socket));
    } catch (error) {
      child.kill("SIGKILL");
      await child.status;
      await Deno.remove(folder, { recursive: true });
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.qmp.close();
    try {
      this.child.kill("SIGKILL");
    } catch { /* it has ended */ }
    await this.child.status;
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** The arguments for a slot into which a region can be plugged. */
export function slot(number: number): string[] {
  return ["-device", `pcie-root-port,id=culvert-slot${number},chassis=${number}`];
}

async function connect(socket: string): Promise<QmpClient> {
  for (const start = performance.now();;) {
    try {
      return await QmpClient.connect(socket, PATIENCE_MS);
    } catch (error) {
      if (performance.now() - start > PATIENCE_MS) throw error;
      await pause(50);
    }
  }
}
