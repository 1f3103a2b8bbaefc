import { DESCRIPTOR_FLAG, HEADROOM_BYTES } from "../../app/memory/layout.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { COUNTER } from "../../app/port/counters.ts";
import type { Burst } from "../../app/ring/burst.ts";
import { FakePort } from "./fake_port.ts";

/** A port at which super-frames of 60,000 bytes come, in long mbufs, to who takes them. */
export class SuperPort extends FakePort {
  passesWhole = false;
  /** Whether it has some left for who does not. */
  isLate = false;

  override rxBurst(burst: Burst, max: number): number {
    if (!this.passesWhole && !this.isLate) return super.rxBurst(burst, max);
    const { mempool, counters } = this.resources;
    const n = Math.min(max, this.waiting, mempool.long!.available);
    for (let i = 0; i < n; i++) {
      // Every second one is a plain frame.
      const pool = i % 2 === 0 ? mempool.long! : mempool;
      pool.allocBulk(burst, 1, i);
      burst.words[2 * i + 1] = dataWord(HEADROOM_BYTES, i % 2 === 0 ? 60_000 : 60);
      if (i % 2 === 0) burst.words[2 * i] |= DESCRIPTOR_FLAG.SUPER;
    }
    this.waiting -= n;
    counters[COUNTER.RX] += n;
    return n;
  }
}
