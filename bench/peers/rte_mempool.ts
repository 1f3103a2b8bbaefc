import { fileURLToPath } from "node:url";
import { CulvertError } from "../../ffi/error.ts";
import { buildProgram } from "./build_program.ts";
import { DpdkProcess } from "./dpdk_process.ts";
import { requireLibdpdk, requirePrograms } from "./requirements.ts";

const SOURCE = fileURLToPath(new URL("./rte_mempool.c", import.meta.url));

/**
 * The best of corei7 (libdpdk's own), x86-64-v3 and native on an EPYC 9004: at burst 32 it takes
 * 0.32 ns, native 0.45.
 */
const ARCHITECTURE = Deno.build.arch === "x86_64" ? "x86-64-v3" : "native";

/** Objects of its mempool, and of the lcore's cache. */
export const RTE_MEMPOOL = { total: 8191, cacheSize: 256 } as const;

/** One measurement: get, then put. */
export interface RteMempoolRun {
  /** Objects per call, 1 to 256. */
  readonly burst: number;
  /** Objects held before they are put back: a multiple of `burst`, to 2048. */
  readonly held: number;
  /** Objects in all: a multiple of `held`. */
  readonly objects: number;
}

/** What a measurement found. */
export interface RteMempoolResult {
  /** Nanoseconds to get and put one object. */
  readonly nsPerObject: number;
}

/** DPDK's mempool in a process of its own, which sleeps between measurements. */
export class RteMempool implements AsyncDisposable {
  readonly #process: DpdkProcess;

  private constructor(process: DpdkProcess) {
    this.#process = process;
  }

  /**
   * Build the program if need be, and start it on a core.
   *
   * @throws {CulvertError} if libdpdk is missing, or the program does not build or start.
   */
  static async start(core = 0): Promise<RteMempool> {
    await requireLibdpdk();
    await requirePrograms("setpriv");
    const process = new DpdkProcess(
      "rte_mempool",
      [await buildProgram([SOURCE], ARCHITECTURE), "--lcores", `0@${core}`, "--no-huge", "-m", "64"]
        .concat("--no-shconf", "--no-pci", "--no-telemetry", "--log-level=error"),
    );
    try {
      await process.hear(/^ready$/m);
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    }
    return new RteMempool(process);
  }

  /**
   * Measure once, after a tenth of it unmeasured.
   *
   * @throws {CulvertError} if DPDK refuses the run, or an object was lost.
   */
  async measure(run: RteMempoolRun): Promise<RteMempoolResult> {
    await this.#run(run, Math.ceil(run.objects / run.held / 10) * run.held);
    return await this.#run(run, run.objects);
  }

  /** End the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }

  async #run({ burst, held }: RteMempoolRun, objects: number): Promise<RteMempoolResult> {
    const request = `${burst} ${held} ${objects}`;
    const answer = await this.#process.ask(request, /\n$/);
    const [, ns, errors] = /^ns_per_object=(\S+) errors=(\d+)$/m.exec(answer) ?? [];
    if (ns === undefined) {
      throw new CulvertError(`Cannot measure rte_mempool "${request}": ${answer.trim()}`);
    }
    if (errors !== "0") {
      throw new CulvertError(`rte_mempool "${request}": ${errors} objects are wrong`);
    }
    return { nsPerObject: Number(ns) };
  }
}
