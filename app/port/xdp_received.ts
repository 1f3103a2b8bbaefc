import { INBOUND } from "../capture/record.ts";
import { readStatistics, type XdpStatistics } from "../linux/xdp_socket.ts";
import { FRAME_MIN_BYTES } from "../memory/layout.ts";
import { Burst } from "../ring/burst.ts";
import { COUNTER, type Counters } from "./counters.ts";
import type { PortResources } from "./port_resources.ts";
import { finishPartialChecksum } from "./xdp_checksum.ts";
import type { XdpQueue } from "./xdp_queue.ts";

/** Nothing counted yet. */
const NO_STATISTICS: XdpStatistics = { dropped: 0, ringFull: 0, fillEmpty: 0 };

/** Carries dropped frames back to the mempool, one at a time. */
const one = Burst.of(1);

/**
 * Make `n` received frames, descriptors of `burst` from number `at` on, fit for guests: frames that
 * are too short or too long are dropped and counted, checksums are finished.
 *
 * @returns how many are left; they are moved together.
 */
export function keepSound(
  { mbufs, mempool, counters, frameMax, capture }: PortResources,
  burst: Burst,
  n: number,
  at: number,
): number {
  const { words } = burst;
  const end = (at + n) << 1;
  let to = at << 1;
  for (let from = to; from < end; from += 2) {
    const word0 = words[from];
    const word1 = words[from + 1];
    const length = word1 >>> 16;
    if (length < FRAME_MIN_BYTES || length > frameMax) {
      counters[COUNTER.RX]++;
      const reason = length < FRAME_MIN_BYTES ? COUNTER.RUNT : COUNTER.OVERSIZE;
      counters[reason]++;
      one.words[0] = word0;
      one.words[1] = word1;
      capture?.addDrops(one, 1, INBOUND, reason);
      mempool.free(one, 1);
      continue;
    }
    finishPartialChecksum(mbufs, mbufs.frameByte(word0, word1), length);
    words[to] = word0;
    words[to + 1] = word1;
    to += 2;
  }
  return (to >>> 1) - at;
}

/** Counts what the kernel has dropped at the sockets of a port before we could receive it. */
export class MissedFrames {
  #before: readonly XdpStatistics[] = [];

  /**
   * Count what was dropped since the last time. Where the kernel found no mbuf to receive into, and
   * there was none to be given to it, that is the reason.
   *
   * @param queues The same each time: they begin at 0.
   */
  count(queues: readonly XdpQueue[], counters: Counters): void {
    this.#before = queues.map((queue, i) => {
      const before = this.#before[i] ?? NO_STATISTICS;
      const now = readStatistics(queue.fd);
      const dropped = now.dropped - before.dropped + now.ringFull - before.ringFull;
      const empty = queue.wasStarved ? now.fillEmpty - before.fillEmpty : 0;
      const withoutMbuf = Math.min(empty, dropped);
      counters[COUNTER.RX] += withoutMbuf;
      counters[COUNTER.NO_MBUF] += withoutMbuf;
      counters[COUNTER.MISSED] += dropped - withoutMbuf;
      queue.wasStarved = false;
      return now;
    });
  }
}
