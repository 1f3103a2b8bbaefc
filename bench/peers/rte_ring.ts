import { fileURLToPath } from "node:url";
import { CulvertError } from "../../ffi/error.ts";
import { buildProgram } from "./build_program.ts";
import { DpdkProcess } from "./dpdk_process.ts";
import { requireLibdpdk, requirePrograms } from "./requirements.ts";

const SOURCES = ["./rte_ring.c", "./rte_ring_loops.h"]
  .map((name) => fileURLToPath(new URL(name, import.meta.url)));

/**
 * The best of corei7 (libdpdk's own), x86-64-v3 and native on an EPYC 9004: at burst 32 it takes
 * 1.6 ns where native, with 512-bit moves, takes 2.1. Only `zc` is faster with native, by a fifth.
 */
const ARCHITECTURE = Deno.build.arch === "x86_64" ? "x86-64-v3" : "native";

/** One measurement of a ring, one way, between two lcores. */
export interface RteRingRun {
  /** How producers and consumers agree; there is one of each all the same. */
  readonly mode: "spsc" | "mpmc" | "hts" | "rts";
  /**
   * `bulk` copies from and to the caller's array, as our rings do; `zc` lets both sides work on the
   * slots in place (`rte_ring_peek_zc.h`; not with `mpmc` and `rts`). Default `bulk`.
   */
  readonly how?: "bulk" | "zc";
  /** Elements per call, 1 to 256. */
  readonly burst: number;
  /** Elements in all. */
  readonly elements: number;
  /** Bytes of an element; 8 unless told. */
  readonly elementBytes?: 4 | 8;
  /** 2, one at either end, unless told; 1 enqueues and dequeues in turns. */
  readonly cores?: 1 | 2;
  /** Slots, a power of two; DPDK leaves one empty. Default 1024. */
  readonly ringSize?: number;
  /** `pause` instructions before a full or empty ring is looked at again. Default 3. */
  readonly pauses?: number;
}

/** What a measurement found. */
export interface RteRingResult {
  /** Nanoseconds from the first element's sending to the last one's arrival, by their number. */
  readonly nsPerElement: number;
}

/** DPDK's rings in a process of their own, which sleeps between measurements. */
export class RteRing implements AsyncDisposable {
  readonly #process: DpdkProcess;

  private constructor(process: DpdkProcess) {
    this.#process = process;
  }

  /**
   * Build the program if need be, and start it.
   *
   * @param producerCore The producer's core.
   * @param consumerCore The consumer's.
   * @throws {CulvertError} if libdpdk is missing, or the program does not build or start.
   */
  static async start(producerCore = 0, consumerCore = 1): Promise<RteRing> {
    await requireLibdpdk();
    await requirePrograms("setpriv");
    const program = await buildProgram(SOURCES, ARCHITECTURE);
    const lcores = `0@${producerCore},1@${consumerCore}`;
    const process = new DpdkProcess(
      "rte_ring",
      // 4 KiB pages: a ring is two to ten of them, and with hugepages the figures are the same.
      [program, "--lcores", lcores, "--no-huge", "-m", "64", "--no-shconf", "--no-pci"]
        .concat("--no-telemetry", "--log-level=error"),
    );
    try {
      await process.hear(/^ready$/m);
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    }
    return new RteRing(process);
  }

  /**
   * Measure once, after a tenth of it unmeasured.
   *
   * @throws {CulvertError} if DPDK refuses the run, or an element did not come in its turn.
   */
  async measure(run: RteRingRun): Promise<RteRingResult> {
    await this.#run(run, Math.ceil(run.elements / 10));
    return await this.#run(run, run.elements);
  }

  /** End the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }

  async #run(run: RteRingRun, elements: number): Promise<RteRingResult> {
    const { mode, how = "bulk", burst, ringSize = 1024, pauses = 3 } = run;
    const { elementBytes = 8, cores = 2 } = run;
    const request = [mode, how, elementBytes, cores, burst, elements, ringSize, pauses].join(" ");
    const answer = await this.#process.ask(request, /\n$/);
    const [, ns, errors] = /^ns_per_element=(\S+) errors=(\d+)$/m.exec(answer) ?? [];
    if (ns === undefined) {
      throw new CulvertError(`Cannot measure rte_ring "${request}": ${answer.trim()}`);
    }
    if (errors !== "0") {
      throw new CulvertError(`rte_ring "${request}": ${errors} elements out of turn`);
    }
    return { nsPerElement: Number(ns) };
  }
}

/**
 * Measure DPDK's rte_ring once, in a fresh process on cores 0 and 1. To measure more often with the
 * same pages, keep an {@linkcode RteRing}.
 *
 * @throws {CulvertError} as {@linkcode RteRing} does.
 */
export async function measureRteRing(run: RteRingRun): Promise<RteRingResult> {
  await using ring = await RteRing.start();
  return await ring.measure(run);
}
