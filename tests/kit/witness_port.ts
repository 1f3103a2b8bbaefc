import { MappedMemory, sealedMemfd } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { HEADROOM_BYTES, LINE } from "../../app/memory/layout.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { COUNTER } from "../../app/port/counters.ts";
import type { PortResources } from "../../app/port/kernel_port.ts";
import type { HostPort } from "../../app/port/port.ts";
import { CANARY } from "./canary.ts";
import type { Burst } from "../../app/ring/burst.ts";

/** What a witness port counts, as indexes into its findings. */
export const WITNESSED = {
  /** Frames that have left. */
  LEFT: 0,
  /** Frames with a canary in them. */
  CANARY: 1,
  /** Frames that reach out of their mbuf, or are in no mbuf. */
  OUTSIDE: 2,
  /** Frames in mbufs that were lent with a frame of another port. */
  CROSSED: 3,
  COUNT: 4,
} as const;

const BYTES = 4096;
const FRAME_BYTES = 512;

/** What witness ports have found: each has a line of its own in memory that threads share. */
export class Findings {
  private constructor(readonly fd: number, readonly memory: MappedMemory) {}

  static create(): Findings {
    const fd = sealedMemfd("witnessed", BYTES);
    return new Findings(fd, MappedMemory.ofFile(fd, BYTES, "findings"));
  }

  static attach(fd: number): Findings {
    return new Findings(fd, MappedMemory.ofFile(fd, BYTES, "findings"));
  }

  /** By {@linkcode WITNESSED}. */
  of(port: number): Uint32Array {
    this.memory.load(0);
    return this.memory.u32.subarray(port * LINE, port * LINE + WITNESSED.COUNT);
  }

  close(): void {
    this.memory.close();
    shim.shim_fd_close(this.fd);
  }
}

/** What the witness ports 0 to `count - 1` have found together, by {@linkcode WITNESSED}. */
export function sumOfFindings(findings: Findings, count: number): number[] {
  const ports = Array.from({ length: count }, (_, port) => findings.of(port));
  return Array.from(
    { length: WITNESSED.COUNT },
    (_, what) => ports.reduce((sum, found) => sum + found[what], 0),
  );
}

/** For each mbuf of a region, the witness port with whose frame it was lent. */
export type Makers = Int8Array;

/**
 * A port that makes frames as fast as its guest takes them, and looks at every byte of the frames
 * that it should send. All witness ports of a region share `makers`, in one lcore.
 */
export class WitnessPort implements HostPort {
  readonly pollable: number[] = [];
  readonly isUp = true;
  readonly #resources: PortResources;
  readonly #number: number;
  readonly #makers: Makers;
  readonly #found: Uint32Array;

  constructor(
    readonly name: string,
    number: number,
    makers: Makers,
    findings: Findings,
    resources: PortResources,
  ) {
    this.#resources = resources;
    this.#number = number;
    this.#makers = makers;
    this.#found = findings.of(number);
  }

  rxBurst(burst: Burst, max: number): number {
    const { mempool, counters } = this.#resources;
    // Half of the mbufs are left to the other ports of the region.
    if (mempool.available < mempool.handle.total >>> 1) return 0;
    const n = mempool.allocBurst(burst, max);
    for (let i = 0; i < n; i++) {
      burst.words[(i << 1) + 1] = dataWord(HEADROOM_BYTES, FRAME_BYTES);
      this.#makers[burst.words[i << 1]] = this.#number;
    }
    counters[COUNTER.RX] += n;
    return n;
  }

  txBurst(burst: Burst, count: number): number {
    const { mempool, counters } = this.#resources;
    for (let i = 0; i < count; i++) this.#look(burst.words[i << 1], burst.words[(i << 1) + 1]);
    counters[COUNTER.TX] += count;
    mempool.free(burst, count);
    return count;
  }

  refresh(): void {}
  close(): void {}

  #look(index: number, word1: number): void {
    const { mbufs } = this.#resources;
    const found = this.#found;
    const [offset, length] = [word1 & 0xffff, word1 >>> 16];
    found[WITNESSED.LEFT]++;
    if (index >= mbufs.count || offset + length > mbufs.stride) found[WITNESSED.OUTSIDE]++;
    if (this.#makers[index] !== this.#number) found[WITNESSED.CROSSED]++;
    const byte = mbufs.frameByte(index, word1);
    for (let at = (byte + 3) >>> 2, end = (byte + length) >>> 2; at < end; at++) {
      if (mbufs.u32[at] !== CANARY) continue;
      found[WITNESSED.CANARY]++;
      return;
    }
  }
}
