import { equal, ok } from "node:assert/strict";
import { MpmcRing, type Sharing } from "../../app/ring/mpmc_ring.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { runWorkers } from "../ffi/run_workers.ts";
import type { MpmcAnswer, MpmcOrder } from "./mpmc_ring_worker.ts";

const SEQUENCE_BITS = 22;
const url = new URL("./mpmc_ring_worker.ts", import.meta.url);

/** Producers and consumers over a ring, for how long. */
const RUNS: Run[] = [
  { producerCount: 2, consumerCount: 2, size: 64, milliseconds: 800 },
  { producerCount: 2, consumerCount: 2, size: 1024, milliseconds: 400 },
  { producerCount: 1, consumerCount: 2, size: 64, milliseconds: 300 },
  { producerCount: 2, consumerCount: 1, size: 64, milliseconds: 300 },
  { producerCount: 1, consumerCount: 1, size: 64, milliseconds: 300 },
  { producerCount: 2, consumerCount: 2, size: 64, milliseconds: 500, several: "hts" },
  { producerCount: 2, consumerCount: 2, size: 64, milliseconds: 500, several: "rts" },
  { producerCount: 1, consumerCount: 2, size: 64, milliseconds: 300, several: "rts" },
  { producerCount: 2, consumerCount: 1, size: 64, milliseconds: 300, several: "hts" },
];

interface Run {
  producerCount: number;
  consumerCount: number;
  size: number;
  milliseconds: number;
  /** How they agree where they are several; `multi` unless told. */
  several?: Sharing;
}

for (const { producerCount, consumerCount, size, milliseconds, several = "multi" } of RUNS) {
  const what = `${producerCount} producers and ${consumerCount} consumers (${several})`;
  Deno.test(`MpmcRing of ${size} slots loses and doubles nothing between ${what}`, async () => {
    using memory = freshMemory(MpmcRing.bytes(size));
    const sharing = (count: number): Sharing => count > 1 ? several : "single";
    const mode = { producers: sharing(producerCount), consumers: sharing(consumerCount) };
    new MpmcRing(memory, 0, size, mode).reset(2 ** 32 - 50); // soon past 2^32
    const seen = new Uint8Array(new SharedArrayBuffer(producerCount << SEQUENCE_BITS));
    const order = {
      workers: producerCount + consumerCount,
      producerCount,
      mode,
      memory: memory.handle,
      size,
      sequenceBits: SEQUENCE_BITS,
      milliseconds,
      shared: new Int32Array(new SharedArrayBuffer(16)),
      seen,
    };
    const producers = Array.from({ length: producerCount }, (_, id): MpmcOrder => {
      return { ...order, role: "producer", id };
    });
    const consumers = Array.from({ length: consumerCount }, (_, id): MpmcOrder => {
      return { ...order, role: "consumer", id };
    });
    const answers = await runWorkers<MpmcOrder, MpmcAnswer>(url, [...producers, ...consumers]);
    const sent = answers.slice(0, producerCount).map(({ moved }) => moved);
    const received = answers.slice(producerCount);

    for (const [id, count] of sent.entries()) {
      const mine = seen.subarray(id << SEQUENCE_BITS, (id + 1) << SEQUENCE_BITS);
      const wrong = mine.findIndex((times, sequence) => times !== (sequence < count ? 1 : 0));
      equal(wrong, -1, `element ${wrong} of producer ${id} was seen ${mine[wrong]} times`);
      ok(count > 100, `producer ${id} sent ${count} only: too few to show anything`);
    }
    equal(received.reduce((sum, { moved }) => sum + moved, 0), sent.reduce((sum, n) => sum + n, 0));
    for (const { reordered } of received) equal(reordered, 0, "each producer's order is kept");
    equal(new MpmcRing(memory, 0, size, mode).count, 0);
  });
}
