import { DESCRIPTOR, DESCRIPTOR_FLAG } from "../../app/memory/layout.ts";
import { dataWord, type Mbufs } from "../../app/mempool/mbuf.ts";
import { wordOf } from "../../app/port/offload_header.ts";
import { COUNTER } from "../../app/port/counters.ts";
import type { PortResources } from "../../app/port/port_resources.ts";
import type { HostPort } from "../../app/port/port.ts";
import type { Burst } from "../../app/ring/burst.ts";
import type { Random } from "../kit/random.ts";
import { frameOf, metadataOf, PLAIN } from "../port/packets.ts";

/** Frames whose fate is known at a time: more than there are mbufs. */
const KNOWN = 2 ** 16;

const FRAME_BYTES = 60;

const { INDEX_MASK } = DESCRIPTOR;
const { SUPER } = DESCRIPTOR_FLAG;

/** A super-frame, and what its sender says of it. */
const PACKET = { ...PLAIN, payload: new Uint8Array(20_000) };
const SUPER_FRAME = frameOf(PACKET, false);
const META = metadataOf(PACKET, 1448);

/** All frames by their numbers: where each one belongs, and whether it has been sent. */
export class Frames {
  /** What went wrong, in words. */
  readonly faults: string[] = [];
  /** Frames that were sent, by group. */
  readonly sent = new Map<string, number>();
  readonly #groups: (string | undefined)[] = Array(KNOWN);
  readonly #numbers = new Uint32Array(KNOWN);
  /** Super-frames, of which each segment has the number: they may be sent more than once. */
  readonly #isSuper = new Uint8Array(KNOWN);
  #next = 1;

  /**
   * Write a new frame of `group` into an mbuf: only its guests may see the frame, and its ports
   * send it.
   */
  write(mbufs: Mbufs, words: Uint32Array, i: number, group: string): void {
    const number = this.#next++;
    this.#groups[number % KNOWN] = group;
    this.#numbers[number % KNOWN] = number;
    const isSuper = (words[2 * i] & INDEX_MASK) >= mbufs.count;
    this.#isSuper[number % KNOWN] = isSuper ? 1 : 0;
    if (isSuper) writeSuper(mbufs, words, i);
    else words[2 * i + 1] = words[2 * i + 1] & 0xffff | FRAME_BYTES << 16;
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
    if (this.#isSuper[number % KNOWN] === 0) this.#groups[number % KNOWN] = undefined;
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

/** Make an empty long mbuf a super-frame. */
function writeSuper(mbufs: Mbufs, words: Uint32Array, i: number): void {
  mbufs.u8.set(SUPER_FRAME, mbufs.frameByte(words[2 * i], words[2 * i + 1]));
  const { offload, checksum } = META;
  const header = [offload & 0xffff, offload >>> 16 | checksum << 16, checksum >>> 16];
  mbufs.u32.set(header, wordOf(mbufs, words[2 * i]));
  words[2 * i] |= SUPER;
  words[2 * i + 1] = dataWord(words[2 * i + 1] & 0xffff, SUPER_FRAME.length);
}

/**
 * A host's port in the simulation: it receives frames of `group` as chance has it, and sends them.
 */
export class SimPort implements HostPort {
  readonly pollable: number[] = [];
  isUp = true;
  /** Whether it receives anything. */
  receives = true;
  passesWhole = false;

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
    for (let i = 0; i < n; i++) {
      const isSuper = this.passesWhole && this.random.below(4) === 0 && mempool.long!.available > 0;
      if (isSuper) {
        mempool.free(burst, 1, i);
        mempool.long!.allocBulk(burst, 1, i);
      }
      this.frames.write(mbufs, burst.words, i, this.group);
    }
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
