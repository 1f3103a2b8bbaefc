import { frameMaxOf } from "../../app/port/kernel_port.ts";
import { FlowChecker, type Gap } from "./flow_checker.ts";
import type { Addresses, FlowFrames, FrameTag } from "./flow_frame.ts";
import { BURST, LinkEnd } from "./link_end.ts";

/** Most frames that one turn sends late. What is due beyond them is never sent. */
const CATCH_UP = 256;

/** Frames that were lost, by when they were sent. */
export interface Loss {
  readonly flow: number;
  /** When, in the units of stamps. */
  readonly sentAt: number;
  readonly frames: number;
}

/** An interface that sends one flow, and on which the flow of its peer ends. */
export class TrafficEnd {
  /** Checks what arrives. */
  readonly checker: FlowChecker;
  /** Frames that the kernel took from us. */
  sent = 0;
  /** Losses found since somebody last took them away. */
  losses: Loss[] = [];
  /** The stamp of the last right frame that {@linkcode receive} got, or -1. */
  newest = -1;

  readonly #link: LinkEnd;
  readonly #tag: FrameTag;
  #due = 0;

  /**
   * @param link The interface, in this network namespace.
   * @param flow What it sends.
   * @param peer The flow that arrives here, what happens to its addresses on the way, and when its
   *   frames were sent, if that is known.
   */
  constructor(
    link: string,
    flow: number,
    private readonly frames: FlowFrames,
    private readonly log: SendLog,
    peer: { flow: number; addresses?: Addresses; log?: SendLog },
  ) {
    this.#link = new LinkEnd(link, frameMaxOf(frames.bytesMax));
    this.#tag = { flow, number: 0, stamp: 0 };
    this.checker = new FlowChecker(frames, peer.flow, peer.addresses, (gap: Gap) => {
      for (const loss of peer.log?.timesOf(gap) ?? []) {
        this.losses.push({ flow: peer.flow, ...loss });
      }
    });
  }

  /** Send what is due at `rate` frames a second, `count` in all; `elapsed` in seconds. */
  send(rate: number, count: number, elapsed: number, stamp: number): void {
    this.#due = Math.min(this.#due + rate * elapsed, CATCH_UP, count - this.sent);
    while (this.#due >= 1) {
      const wanted = Math.min(Math.floor(this.#due), BURST);
      const sent = this.#sendBurst(wanted, stamp);
      this.#due -= wanted;
      if (sent < wanted) break;
    }
  }

  /** Take and check the frames that wait, up to some bursts. */
  receive(): void {
    this.newest = -1;
    for (let turn = 0; turn < 2 * CATCH_UP / BURST; turn++) {
      const n = this.#link.receive((byte, bytes) => {
        if (this.checker.check(this.#link.mbufs, byte, bytes)) {
          this.newest = this.checker.tag.stamp;
        }
      });
      if (n < BURST) return;
    }
  }

  /** Look whether the interface is back. To be called now and then. */
  refresh(): void {
    this.#link.refresh();
  }

  /** Frames that reached this end's socket and found no room: ours to count, not the host's. */
  get missed(): number {
    return this.#link.missed;
  }

  #sendBurst(wanted: number, stamp: number): number {
    const tag = this.#tag;
    tag.stamp = stamp;
    const sent = this.#link.send(wanted, (burst, i) => {
      tag.number = this.sent + i;
      this.frames.write(this.#link.mbufs, burst, i, tag);
    });
    if (sent > 0) this.log.add(stamp, this.sent);
    this.sent += sent;
    return sent;
  }
}

/** When the frames of a flow were sent: a number at a time. */
export class SendLog {
  #stamps: number[] = [];
  #numbers: number[] = [];

  /** Frames from `number` on were sent at `stamp`, up to the number of the next call. */
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
