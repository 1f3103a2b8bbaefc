import { CulvertError } from "../../ffi/error.ts";
import { DpdkProcess } from "./dpdk_process.ts";
import { requirePrograms } from "./requirements.ts";

const PROMPT = /testpmd> $/;

/** What one testpmd is to do. */
export interface TestpmdOptions {
  /** Forwarding engine: `io`, `macswap`, `flowgen`, `txonly`, `rxonly`. */
  readonly mode: string;
  /** The core that forwards. */
  readonly core: number;
  /** The core where the idle main lcore lives: it only reads commands. Default: the same. */
  readonly mainCore?: number;
  /** `--vdev` values, one for each port. */
  readonly vdevs: readonly string[];
  /** Memory in MiB, from hugepages (which the caller reserves) or not. */
  readonly memory: { readonly mebibytes: number; readonly huge: boolean };
  /** More arguments to testpmd itself. */
  readonly args: readonly string[];
  /** Network namespace by name; default the present one. */
  readonly namespace?: string;
}

/** A port's counters, and its rates since they were read before. */
export interface PortStats {
  /** Frames received. */
  readonly rx: number;
  /** Bytes received. */
  readonly rxBytes: number;
  /** Frames sent. */
  readonly tx: number;
  /** Frames received per second since the last reading, by testpmd's own clock; at first 0. */
  readonly rxRate: number;
  /** Frames sent per second, likewise. */
  readonly txRate: number;
}

/**
 * A `dpdk-testpmd` that forwards on one pinned core between `start` and `stop`, and sleeps else.
 */
export class Testpmd implements AsyncDisposable {
  readonly #process: DpdkProcess;

  private constructor(process: DpdkProcess) {
    this.#process = process;
  }

  /**
   * Start it and wait for its prompt.
   *
   * @throws {CulvertError} if DPDK is missing or refuses, with testpmd's last words.
   */
  static async open(options: TestpmdOptions): Promise<Testpmd> {
    await requirePrograms("dpdk-testpmd", "stdbuf", "setpriv", "nsenter");
    const { mode, core, mainCore = core, vdevs, memory, args, namespace } = options;
    const process = new DpdkProcess("testpmd", [
      ...(namespace ? ["nsenter", `--net=/run/netns/${namespace}`] : []),
      ...["stdbuf", "-oL", "dpdk-testpmd"],
      ...["--lcores", `0@${mainCore},1@${core}`, "-m", String(memory.mebibytes)],
      ...(memory.huge ? ["--in-memory", "--single-file-segments"] : ["--no-huge", "--no-shconf"]),
      ...["--no-pci", "--no-telemetry", "--log-level=error"],
      ...vdevs.map((vdev) => `--vdev=${vdev}`),
      ...["--", "--interactive", "--nb-cores=1", `--forward-mode=${mode}`, ...args],
    ]);
    const testpmd = new Testpmd(process);
    try {
      const text = await process.hear(PROMPT);
      const ports = text.split(/^Configuring Port/m).length - 1;
      if (ports !== vdevs.length) { // testpmd goes on without a vdev that it cannot have
        throw new CulvertError(
          `Cannot use testpmd as it has ${ports} ports of ${vdevs.length}, ${vdevs.join(" ")}` +
            process.lastLines,
        );
      }
    } catch (error) {
      await testpmd[Symbol.asyncDispose]();
      throw error;
    }
    return testpmd;
  }

  /**
   * Wait until a port's link is up.
   *
   * @throws {CulvertError} if it stays down for five seconds.
   */
  async linkUp(port: number): Promise<void> {
    for (let tries = 0; tries < 100; tries++) {
      const text = await this.#process.ask(`show port info ${port}`, PROMPT);
      if (/^Link status: up/m.test(text)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new CulvertError(`Cannot use testpmd's port ${port} as its link is not up after 5 s`);
  }

  /** Begin to forward. */
  async start(): Promise<void> {
    await this.#process.ask("start", PROMPT);
  }

  /** Cease to forward; the core is idle then. */
  async stop(): Promise<void> {
    await this.#process.ask("stop", PROMPT);
  }

  /**
   * Read a port's counters.
   *
   * @throws {CulvertError} if the port is not there.
   */
  async stats(port: number): Promise<PortStats> {
    const text = await this.#process.ask(`show port stats ${port}`, PROMPT);
    const number = (name: string) => {
      const [, digits] = new RegExp(`${name}: *(\\d+)`).exec(text) ?? [];
      if (digits === undefined) {
        throw new CulvertError(`testpmd shows no ${name} of port ${port}:\n${text}`);
      }
      return Number(digits);
    };
    return {
      rx: number("RX-packets"),
      rxBytes: number("RX-bytes"),
      tx: number("TX-packets"),
      rxRate: number("Rx-pps"),
      txRate: number("Tx-pps"),
    };
  }

  /** End it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}
