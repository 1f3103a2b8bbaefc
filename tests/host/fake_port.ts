import { DESCRIPTOR } from "../../app/memory/layout.ts";
import { COUNTER } from "../../app/port/counters.ts";
import type { PortResources } from "../../app/port/port_resources.ts";
import type { HostPort } from "../../app/port/port.ts";
import type { Burst } from "../../app/ring/burst.ts";

/** A port that a test drives: it receives `waiting` frames of 60 bytes, and sends as told. */
export class FakePort implements HostPort {
  readonly name = "fake";
  pollable: number[] = [];
  isUp = true;
  /** Frames that wait to be received. */
  waiting = 0;
  /** Frames that a burst takes at most. */
  takes = Infinity;
  /** Descriptors of the frames that were sent, both words of each. */
  readonly sent: number[] = [];
  /** The first byte of each of them. */
  readonly marks: number[] = [];
  refreshes = 0;
  /** Called after each burst that was received. */
  onReceive: () => void = () => {};
  isClosed = false;

  constructor(protected readonly resources: PortResources) {}

  rxBurst(burst: Burst, max: number): number {
    const { mempool, counters } = this.resources;
    const n = mempool.allocBurst(burst, Math.min(max, this.waiting));
    for (let i = 0; i < n; i++) burst.words[2 * i + 1] |= 60 << 16;
    this.waiting -= n;
    counters[COUNTER.RX] += n;
    this.onReceive();
    return n;
  }

  txBurst(burst: Burst, count: number): number {
    const n = this.isUp ? Math.min(count, this.takes) : 0;
    this.sent.push(...burst.words.subarray(0, n * DESCRIPTOR.WORDS));
    const { mbufs } = this.resources;
    for (let i = 0; i < n; i++) {
      this.marks.push(mbufs.u8[mbufs.frameByte(burst.words[2 * i], burst.words[2 * i + 1])]);
    }
    this.resources.mempool.free(burst, n);
    this.resources.counters[COUNTER.TX] += n;
    return n;
  }

  refresh(): void {
    this.refreshes++;
  }

  close(): void {
    this.isClosed = true;
  }
}
