import { MappedMemory, sealedMemfd } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import {
  cellsOfLong,
  DESCRIPTOR,
  DESCRIPTOR_FLAG,
  HEADROOM_BYTES,
  LINE,
} from "../../app/memory/layout.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { COUNTER } from "../../app/port/counters.ts";
import type { Mempool } from "../../app/mempool/mempool.ts";
import type { PortResources } from "../../app/port/port_resources.ts";
import { wordOf } from "../../app/port/offload_header.ts";
import type { HostPort } from "../../app/port/port.ts";
import { WholeFrames } from "../../app/port/whole_frames.ts";
import { frameOf, metadataOf, PLAIN } from "../port/packets.ts";
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

const { SUPER } = DESCRIPTOR_FLAG;
/** A super-frame that witness ports make for guests that take them, and one frame of how many. */
const PACKET = { ...PLAIN, payload: new Uint8Array(20_000) };
const SUPER_FRAME = frameOf(PACKET, false);
const SEGMENT_BYTES = 1448, SUPER_EVERY = 8;

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

/** For each cell of a region's mbufs, the witness port with whose frame it was lent. */
export type Makers = Int8Array;

/**
 * A port that makes frames as fast as its guest takes them, and looks at every byte of the frames
 * that it should send. All witness ports of a region share `makers`, in one lcore.
 */
export class WitnessPort implements HostPort {
  readonly pollable: number[] = [];
  readonly isUp = true;
  passesWhole = false;
  readonly #resources: PortResources;
  readonly #whole: WholeFrames;
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
    this.#whole = new WholeFrames(resources);
    this.#number = number;
    this.#makers = makers;
    this.#found = findings.of(number);
  }

  rxBurst(burst: Burst, max: number): number {
    const { counters } = this.#resources;
    const mempool = this.#resources.mempool as Mempool; // this port is no mirror's
    // Half of the mbufs are left to the other ports of the region.
    if (mempool.available < mempool.handle.total >>> 1) return 0;
    const n = mempool.allocBurst(burst, max);
    for (let i = 0; i < n; i++) {
      burst.words[(i << 1) + 1] = dataWord(HEADROOM_BYTES, FRAME_BYTES);
      if (i % SUPER_EVERY === 0) this.#makeSuper(burst, i);
      this.#makers[burst.words[i << 1] & DESCRIPTOR.INDEX_MASK] = this.#number;
    }
    counters[COUNTER.RX] += n;
    return n;
  }

  txBurst(burst: Burst, count: number): number {
    const { mempool, counters } = this.#resources;
    for (let i = 0; i < count; i++) {
      const [word0, word1] = burst.words.subarray(i << 1);
      const maker = this.#makers[word0 & DESCRIPTOR.INDEX_MASK];
      if (maker !== this.#number) this.#found[WITNESSED.CROSSED]++;
      const isDropped = (word0 & SUPER) !== 0 && !this.#sendSuper(burst, i);
      if (isDropped) continue;
      if ((word0 & SUPER) === 0) this.#look(word0, word1);
      counters[COUNTER.TX]++;
    }
    mempool.free(burst, count);
    return count;
  }

  /** Let frame `i` be a super-frame, in a long mbuf if there are enough. */
  #makeSuper(burst: Burst, i: number): void {
    const { mempool, mbufs } = this.#resources;
    const { long } = mempool;
    if (!this.passesWhole || !long || long.available < long.handle.total >>> 1) return;
    mempool.free(burst, 1, i);
    long.allocBulk(burst, 1, i);
    const [word0] = burst.words.subarray(i << 1);
    mbufs.u8.set(SUPER_FRAME, mbufs.frameByte(word0, HEADROOM_BYTES));
    const { offload, checksum } = metadataOf(PACKET, SEGMENT_BYTES);
    const header = [offload & 0xffff, offload >>> 16 | checksum << 16, checksum >>> 16];
    mbufs.u32.set(header, wordOf(mbufs, word0));
    burst.words[i << 1] |= SUPER;
    burst.words[(i << 1) + 1] = dataWord(HEADROOM_BYTES, SUPER_FRAME.length);
  }

  /** As a port of the kernel's: whole, or cut, or dropped and counted; then false. */
  #sendSuper(burst: Burst, i: number): boolean {
    const [word0, word1] = burst.words.subarray(i << 1);
    if (this.#whole.prepare(burst, 1, i, 1500) === 1) {
      this.#look(word0, word1);
      return true;
    }
    const lookAtAll = ({ words }: Burst, n: number) => {
      for (let k = 0; k < n; k++) this.#look(words[k << 1], words[(k << 1) + 1]);
      return 0;
    };
    const isSent = this.#whole.cut(word0, word1, lookAtAll) === 0;
    if (!isSent) this.#resources.counters[this.#whole.reason]++;
    return isSent;
  }

  refresh(): void {}
  close(): void {}

  #look(word0: number, word1: number): void {
    const { mbufs } = this.#resources;
    const found = this.#found;
    const [offset, length] = [word1 & 0xffff, word1 >>> 16];
    found[WITNESSED.LEFT]++;
    const isSuper = (word0 & SUPER) !== 0;
    const cell = (word0 & DESCRIPTOR.INDEX_MASK) - mbufs.count;
    const isInside = (cell < 0 || cell % cellsOfLong(mbufs.stride) === 0) &&
      offset + length <= mbufs.roomOf(word0) && (isSuper || length <= this.#resources.frameMax);
    if (!isInside) found[WITNESSED.OUTSIDE]++;
    const byte = mbufs.frameByte(word0, word1);
    for (let at = (byte + 3) >>> 2, end = (byte + length) >>> 2; at < end; at++) {
      if (mbufs.u32[at] !== CANARY) continue;
      found[WITNESSED.CANARY]++;
      return;
    }
  }
}
