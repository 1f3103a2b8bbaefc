import type { MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { Frames } from "../../app/toolkit/frames.ts";
import { dataWord, Mbufs } from "../../app/mempool/mbuf.ts";
import { MbufMetadata, type MbufMetadataHandle } from "../../app/toolkit/mbuf_metadata.ts";
import { Mempool } from "../../app/mempool/mempool.ts";
import type { MempoolHandle } from "../../app/mempool/mempool_handle.ts";
import { MpmcRing } from "../../app/ring/mpmc_ring.ts";
import { Random } from "../kit/random.ts";
import { meetAt, serveOrder, type StartLine, timeUp } from "../ffi/run_workers.ts";
import { Burst } from "../../app/ring/burst.ts";

/** What each Worker is to do. */
export interface MulticastOrder {
  readonly mempool: MempoolHandle;
  readonly metadata: MbufMetadataHandle;
  readonly memory: MappedMemoryHandle;
  readonly stride: number;
  /** A ring to each Worker, one after the other, of so many slots. */
  readonly rings: MappedMemoryHandle;
  readonly slots: number;
  readonly self: number;
  readonly workers: number;
  readonly milliseconds: number;
  /** Frames to receive at least, if that takes longer. */
  readonly enough: number;
  readonly shared: StartLine;
}

/** What it saw. */
export interface MulticastAnswer {
  readonly received: number;
  /** Frames whose words were not those that were written. */
  readonly spoiled: number;
  /** Frames of which `Frames.check()` had something to say. */
  readonly unsound: number;
}

/**
 * Words of each segment. A ring carries word 0 of the descriptor alone: word 1 is always the same.
 */
const WORDS = 8;
const WORD_1 = dataWord(128, 4 * WORDS);

/** Hand frames of one or two segments to all Workers; check and free what the others hand on. */
serveOrder((order: MulticastOrder): MulticastAnswer => {
  const pool = Mempool.attach(order.mempool, 16);
  const mbufs = new Mbufs(new MappedMemory(order.memory), {
    offset: 0,
    stride: order.stride,
    count: order.mempool.total,
  }, false);
  const metadata = new MbufMetadata(order.metadata);
  const frames = new Frames(pool, mbufs, metadata);
  const memory = new MappedMemory(order.rings);
  const rings = Array.from({ length: order.workers }, (_, i) => {
    return new MpmcRing(memory, i * MpmcRing.bytes(order.slots), order.slots);
  });
  const random = new Random(order.self + 1);
  const [burst, one, got] = [Burst.of(2), Burst.of(1, 4), Burst.of(32, 4)];
  let received = 0, spoiled = 0, unsound = 0, stamp = order.self;

  const write = (word0: number) => {
    const start = mbufs.frameByte(word0, WORD_1) >>> 2;
    for (let i = 0; i < WORDS; i++) mbufs.u32[start + i] = stamp;
  };
  const isWhole = (word0: number, expected: number) => {
    const start = mbufs.frameByte(word0, WORD_1) >>> 2;
    for (let i = 0; i < WORDS; i++) if (mbufs.u32[start + i] !== expected) return false;
    return true;
  };
  const send = () => {
    const segments = 1 + random.below(2);
    if (pool.allocBulk(burst, segments) === 0) return;
    stamp = (stamp + order.workers) >>> 0;
    for (let i = 0; i < segments; i++) {
      burst.words[2 * i + 1] = WORD_1;
      write(burst.words[2 * i]);
    }
    if (segments === 2) frames.chain(burst, 0, burst, 1);
    frames.addReferences(burst, 0, order.workers - 1);
    one.words[0] = burst.words[0];
    for (const ring of rings) if (ring.enqueueBulk(one, 1) === 0) frames.free(burst, 1);
  };
  const receive = () => {
    const n = rings[order.self].dequeueBurst(got, 1 + random.below(32));
    for (let i = 0; i < n; i++) {
      [burst.words[0], burst.words[1]] = [got.words[i], WORD_1];
      if (frames.check(burst, 0) !== undefined) unsound++;
      const expected = mbufs.u32[mbufs.frameByte(burst.words[0], WORD_1) >>> 2];
      let isGood = isWhole(burst.words[0], expected);
      if (frames.segments(burst, 0) === 2) {
        isGood &&= isWhole(metadata.u32[metadata.nextWord(burst.words[0] & 0xffffff)], expected);
      }
      if (!isGood) spoiled++;
      frames.free(burst, 1);
    }
    received += n;
    return n;
  };

  meetAt(order.shared, order.workers);
  const isUp = timeUp(order.milliseconds, order.enough);
  while (!isUp(received)) {
    for (let i = random.below(8); i > 0; i--) send();
    receive();
  }
  meetAt(order.shared, 2 * order.workers); // nobody sends any more
  while (receive() > 0);
  pool.close();
  return { received, spoiled, unsound };
});
