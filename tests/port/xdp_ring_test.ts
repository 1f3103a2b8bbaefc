import { deepEqual, equal, ok } from "node:assert/strict";
import { XdpRing } from "../../app/port/xdp_ring.ts";
import { plainRing } from "./kernel_rings.ts";

/** Positions at which 32-bit numbers wrap, signed and unsigned. */
const STARTS = [0, 0x7ffffffe, 0xfffffffe];

for (const start of STARTS) {
  Deno.test(`XdpRing.publish() moves on from position ${start}, and sees how far the kernel is`, () => {
    const ring = plainRing(8, 2, start);
    const end = new XdpRing(ring);
    end.position = start | 0;
    equal(end.consumed, start | 0);
    end.publish(5);
    equal(ring.memory.load(ring.producer), (start + 5) >>> 0);
    ring.memory.store(ring.consumer, (start + 3) >>> 0);
    equal(end.position - end.consumed | 0, 2);
    ring.memory.close();
  });

  Deno.test(`XdpRing has what the kernel has published, from position ${start} on`, () => {
    const ring = plainRing(8, 4, start);
    const consumer = new XdpRing(ring);
    consumer.position = start | 0;
    equal(consumer.available(4), 0);
    ring.memory.store(ring.producer, (start + 5) >>> 0);
    equal(consumer.available(4), 4);
    consumer.release(4);
    equal(ring.memory.load(ring.consumer), (start + 4) >>> 0);
    equal(consumer.available(4), 1);
    consumer.release(1);
    equal(consumer.available(4), 0);
    ring.memory.close();
  });
}

Deno.test("XdpRing tells whether the kernel wants to be woken", () => {
  const ring = plainRing(8, 4);
  const producer = new XdpRing(ring);
  ok(!producer.needsWakeup);
  ring.memory.u32[ring.flags] = 1;
  ok(producer.needsWakeup);
  ring.memory.close();
});

Deno.test("XdpRing has entries at position & mask", () => {
  const ring = plainRing(8, 2);
  const { first, mask } = new XdpRing(ring);
  deepEqual([first, mask], [ring.entries, 7]);
  ring.memory.close();
});
