import { fileURLToPath } from "node:url";
import { CulvertError } from "../../ffi/error.ts";
import { Child } from "../child.ts";
import { buildProgram } from "./build_program.ts";
import { DpdkProcess } from "./dpdk_process.ts";
import type { Peer } from "./flow_pair.ts";
import { HUGEPAGE_BYTES, reserveHugepages } from "./hugepages.ts";
import { requireLibdpdk, requirePrograms } from "./requirements.ts";

const FRAMES = source("path_frames.h");

/** Memory of the program on libdpdk: 4095 mbufs take 10 MiB. */
const MEBIBYTES = 64;

/** The best of corei7 (libdpdk's own), x86-64-v3 and native for `rte_ring`: see rte_ring.ts. */
const DPDK_ARCHITECTURE = Deno.build.arch === "x86_64" ? "x86-64-v3" : "native";

/**
 * The memory path in C as ours is built: rings of descriptors, a ledger, a mempool, in a file.
 *
 * @param file Holds rings and mbufs, 16 MiB or more; on hugetlbfs or not, as ours is.
 * @throws {CulvertError} if it cannot be built or started.
 */
export async function startOwnPath(file: string, frameBytes: number): Promise<Peer> {
  return await ready(await ownPath(file, frameBytes));
}

/**
 * Round trips of single frames by that program.
 *
 * @returns p50, p99 and p99.9 in nanoseconds.
 * @throws {CulvertError} if it cannot be built or started, or a frame comes back wrong.
 */
export async function ownOneFrame(
  file: string,
  frameBytes: number,
  frames: number,
): Promise<number[]> {
  await using program = await ownPath(file, frameBytes);
  await program.hear(/^ready$/m);
  return timesOf(await program.ask(`frames ${frames}`, /\n$/));
}

/**
 * What a program in C says of single frames that it has timed: p50, p99 and p99.9 in nanoseconds.
 *
 * @throws {CulvertError} if it says something else.
 */
export function timesOf(answer: string): number[] {
  const found = /^p50=(\d+) p99=(\d+) p999=(\d+)$/m.exec(answer);
  if (found) return found.slice(1).map(Number);
  throw new CulvertError(`Cannot time single frames: ${answer.trim()}`);
}

async function ownPath(file: string, frameBytes: number): Promise<Child> {
  await requirePrograms("cc");
  const program = await buildProgram([source("own_path.c"), FRAMES], "native", "libc");
  return new Child("own_path", [program, file, String(frameBytes)], { endBy: "input" });
}

/**
 * The memory path on libdpdk: two SP/SC `rte_ring`s with mbuf pointers between two lcores.
 *
 * @param isHuge Whether its memory is hugepages, or pages of 4 KiB.
 * @throws {CulvertError} if it cannot be built or started, or without hugepages.
 */
export async function startRtePath(isHuge: boolean, frameBytes: number): Promise<Peer> {
  await requireLibdpdk();
  const program = await buildProgram([source("rte_path.c"), FRAMES], DPDK_ARCHITECTURE);
  await using hugepages = new AsyncDisposableStack();
  if (isHuge) hugepages.use(await reserveHugepages((MEBIBYTES << 20) / HUGEPAGE_BYTES));
  const peer = await ready(
    new DpdkProcess("rte_path", [
      ...[program, "--lcores", "0@0,1@1", "-m", String(MEBIBYTES)],
      ...isHuge ? ["--in-memory", "--single-file-segments"] : ["--no-huge", "--no-shconf"],
      ...["--no-pci", "--no-telemetry", "--log-level=error", "--", String(frameBytes)],
    ]),
  );
  const reserved = hugepages.move();
  return {
    sample: (seconds) => peer.sample(seconds),
    async [Symbol.asyncDispose]() {
      await peer[Symbol.asyncDispose]();
      await reserved[Symbol.asyncDispose]();
    },
  };
}

/** A program that has said that it is ready, and takes samples. */
async function ready(program: Child): Promise<Peer> {
  try {
    await program.hear(/^ready$/m);
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw error;
  }
  return {
    async sample(seconds) {
      const answer = await program.ask(String(seconds), /\n$/);
      const [, mpps, errors] = /^mpps=(\S+) errors=(\d+)$/m.exec(answer) ?? [];
      if (errors === "0") return Number(mpps);
      throw new CulvertError(`Cannot count frames that came back wrong: ${answer.trim()}`);
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

function source(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
