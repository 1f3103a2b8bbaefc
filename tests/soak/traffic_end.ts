import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { HEADROOM_BYTES } from "../../app/memory/layout.ts";
import { Mbufs } from "../../app/mempool/mbuf.ts";
import { Mempool } from "../../app/mempool/mempool.ts";
import { COUNTER, type Counters, newCounters } from "../../app/port/counters.ts";
import { frameMaxOf } from "../../app/port/kernel_port.ts";
import { openPacket, PacketPort } from "../../app/port/packet_port.ts";
import { FlowChecker, type Gap } from "./flow_checker.ts";
import type { FrameTag, SoakFrames } from "./soak_frame.ts";
import { Burst } from "../../app/ring/burst.ts";

const BURST = 32;
const MBUFS = 512;

/** Frames that are sent late in one turn at most: what else was due is never sent. */
const CATCH_UP = 256;

/** Frames that were lost, by when they were sent. */
export interface Loss {
  readonly flow: number;
  /** When, in the units of stamps. */
  readonly sentAt: number;
  readonly frames: number;
}

/** An interface that sends one flow, and on which another one ends. */
export class TrafficEnd {
  /** What has arrived. */
  readonly checker: FlowChecker;
  /** Frames that the kernel took from us. */
  sent = 0;
  /** Losses found since somebody last took them away. */
  losses: Loss[] = [];
  /** The stamp that the last frame carried which arrived in {@linkcode receive}'s last burst. */
  newest = -1;

  readonly #mbufs: Mbufs;
  readonly #mempool = Mempool.create(MBUFS);
  readonly #counters: Counters = newCounters(1)[0];
  readonly #port: PacketPort;
  readonly #burst = Burst.of(BURST);
  readonly #tag: FrameTag;
  #due = 0;

  /**
   * @param link The interface, in this network namespace.
   * @param flow What it sends.
   * @param peer The end where that arrives, and whose frames arrive here: its log of sendings is asked.
   */
  constructor(
    link: string,
    flow: number,
    private readonly frames: SoakFrames,
    private readonly log: SendLog,
    peer: { flow: number; log: SendLog },
  ) {
    const stride = (HEADROOM_BYTES + frameMaxOf(frames.bytesMax) + 127) & ~63;
    const memory = MappedMemory.ofProcess(MBUFS * stride);
    this.#mbufs = new Mbufs(memory, { offset: 0, stride, count: MBUFS });
    this.#port = new PacketPort(openPacket(link), {
      mbufs: this.#mbufs,
      mempool: this.#mempool,
      counters: this.#counters,
      frameMax: frameMaxOf(frames.bytesMax),
    });
    this.#tag = { flow, number: 0, stamp: 0 };
    this.checker = new FlowChecker(frames, peer.flow, (gap: Gap) => {
      for (const loss of peer.log.timesOf(gap)) this.losses.push({ flow: peer.flow, ...loss });
    });
  }

  /** Send what is due at `rate` frames a second; `now` and `elapsed` in seconds. */
  send(rate: number, elapsed: number, stamp: number): void {
    this.#due = Math.min(this.#due + rate * elapsed, CATCH_UP);
    while (this.#due >= 1) {
      const wanted = Math.min(Math.floor(this.#due), BURST);
      const sent = this.#sendBurst(wanted, stamp);
      this.#due -= wanted;
      if (sent < wanted) break;
    }
  }

  /** Take and check all that is there, up to some bursts. */
  receive(): void {
    this.newest = -1;
    for (let turn = 0; turn < 2 * CATCH_UP / BURST; turn++) {
      const n = this.#port.rxBurst(this.#burst, BURST);
      for (let i = 0; i < n; i++) {
        const [word0, word1] = [this.#burst.words[i << 1], this.#burst.words[(i << 1) + 1]];
        const byte = this.#mbufs.frameByte(word0, word1);
        if (this.checker.check(this.#mbufs, byte, word1 >>> 16)) {
          this.newest = this.checker.tag.stamp;
        }
      }
      this.#mempool.free(this.#burst, n);
      if (n < BURST) return;
    }
  }

  /** Now and then: see whether the interface is back. */
  refresh(): void {
    this.#port.refresh();
  }

  /** Frames that reached this end's socket, and found no room there: ours to count, not the host's. */
  get missed(): number {
    const counters = this.#counters;
    return counters[COUNTER.MISSED] + counters[COUNTER.OVERSIZE] + counters[COUNTER.RUNT] +
      counters[COUNTER.NO_MBUF] + counters[COUNTER.OFFLOAD];
  }

  #sendBurst(wanted: number, stamp: number): number {
    const burst = this.#burst;
    const n = this.#mempool.allocBurst(burst, wanted);
    const tag = this.#tag;
    tag.stamp = stamp;
    for (let i = 0; i < n; i++) {
      tag.number = this.sent + i;
      this.frames.write(this.#mbufs, burst, i, tag);
    }
    const before = this.#counters[COUNTER.TX];
    const taken = this.#port.txBurst(burst, n);
    this.#mempool.free(burst, n - taken, taken);
    const sent = this.#counters[COUNTER.TX] - before;
    if (sent > 0) this.log.add(stamp, this.sent);
    this.sent += sent;
    return sent;
  }
}

/** When the frames of a flow were sent: a number at a time. */
export class SendLog {
  #stamps: number[] = [];
  #numbers: number[] = [];

  /** Frames from `number` on were sent at `stamp`, or later if there is more. */
  add(stamp: number, number: number): void {
    if (this.#stamps.at(-1) === stamp) return;
    this.#stamps.push(stamp);
    this.#numbers.push(number);
  }

  /** When the frames of a gap were sent. */
  *timesOf({ first, end }: Gap): Generator<{ sentAt: number; frames: number }> {
    let at = this.#numbers.findLastIndex((number) => number <= first);
    for (let from = first; from < end; at++) {
      const to = Math.min(end, this.#numbers[at + 1] ?? end);
      yield { sentAt: this.#stamps[at], frames: to - from };
      from = to;
    }
  }

  /** Forget all frames before `number`. */
  forget(number: number): void {
    const at = this.#numbers.findLastIndex((first) => first <= number);
    if (at <= 0) return;
    this.#stamps.splice(0, at);
    this.#numbers.splice(0, at);
  }
}
