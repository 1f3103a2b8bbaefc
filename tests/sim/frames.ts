import { COUNTER } from "../../app/port/counters.ts";
import type { PortResources } from "../../app/port/kernel_port.ts";
import type { HostPort } from "../../app/port/port.ts";
import type { Burst } from "../../app/ring/burst.ts";
import type { Mbufs } from "../../app/mempool/mbuf.ts";
import type { Random } from "../kit/random.ts";

/** Frames whose fate is known at a time: more than there are mbufs. */
const KNOWN = 2 ** 16;

const FRAME_BYTES = 60;

/** All frames by their numbers: where each one belongs, and whether it has been sent. */
export class Frames {
  /** What went wrong, in words. */
  readonly faults: string[] = [];
  /** Frames that were sent, by group. */
  readonly sent = new Map<string, number>();
  readonly #groups: (string | undefined)[] = Array(KNOWN);
  readonly #numbers = new Uint32Array(KNOWN);
  #next = 1;

  /**
   * Write a new frame of `group` into an mbuf: only its guests may see the frame, and its ports
   * send it.
   */
  write(mbufs: Mbufs, words: Uint32Array, i: number, group: string): void {
    const number = this.#next++;
    this.#groups[number % KNOWN] = group;
    this.#numbers[number % KNOWN] = number;
    words[2 * i + 1] = words[2 * i + 1] & 0xffff | FRAME_BYTES << 16;
    mbufs.u32[mbufs.frameByte(words[2 * i], words[2 * i + 1]) >>> 2] = number;
  }

  /** A guest of `group` has received a frame. */
  received(mbufs: Mbufs, words: Uint32Array, i: number, group: string): void {
    this.#expect(this.#numberOf(mbufs, words, i), group, "received");
  }

  /** A port of `group` sends a frame. */
  send(mbufs: Mbufs, words: Uint32Array, i: number, group: string): void {
    const number = this.#numberOf(mbufs, words, i);
    this.#expect(number, group, "sent");
    this.#groups[number % KNOWN] = undefined;
    this.sent.set(group, (this.sent.get(group) ?? 0) + 1);
  }

  #numberOf(mbufs: Mbufs, words: Uint32Array, i: number): number {
    return mbufs.u32[mbufs.frameByte(words[2 * i], words[2 * i + 1]) >>> 2];
  }

  #expect(number: number, group: string, what: string): void {
    const found = this.#numbers[number % KNOWN] === number
      ? this.#groups[number % KNOWN] ?? "nobody: it was sent before"
      : "nobody: it is no frame, or a very old one";
    if (found !== group) this.faults.push(`frame ${number} of ${found} was ${what} by ${group}`);
  }
}

/**
 * A host's port in the simulation: it receives frames of `group` as chance has it, and sends them.
 */
export class SimPort implements HostPort {
  readonly pollable: number[] = [];
  isUp = true;
  /** Whether it receives anything. */
  receives = true;

  constructor(
    readonly name: string,
    private readonly group: string,
    private readonly resources: PortResources,
    private readonly frames: Frames,
    private readonly random: Random,
    private readonly interrupt: () => void,
  ) {}

  rxBurst(burst: Burst, max: number): number {
    if (!this.receives || this.random.below(3) > 0) return 0;
    const { mempool, mbufs, counters } = this.resources;
    const n = mempool.allocBurst(burst, Math.min(max, 1 + this.random.below(8)));
    for (let i = 0; i < n; i++) this.frames.write(mbufs, burst.words, i, this.group);
    counters[COUNTER.RX] += n;
    this.interrupt();
    return n;
  }

  txBurst(burst: Burst, count: number): number {
    const { mempool, mbufs, counters } = this.resources;
    this.interrupt();
    const n = !this.isUp ? 0 : this.random.below(8) > 0 ? count : this.random.below(count + 1);
    for (let i = 0; i < n; i++) this.frames.send(mbufs, burst.words, i, this.group);
    mempool.free(burst, n);
    counters[COUNTER.TX] += n;
    return n;
  }

  refresh(): void {}
  close(): void {}
}
