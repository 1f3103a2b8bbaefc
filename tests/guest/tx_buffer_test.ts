import { deepEqual, equal } from "node:assert/strict";
import { TxBuffer } from "../../app/guest/tx_buffer.ts";
import { counted } from "./guest_counters.ts";
import { GuestLab, someFrame } from "./guest_lab.ts";

/** `count` frames, none like the other, which begin with number `first`. */
function frames(count: number, first = 0): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => someFrame(60, first + i));
}

Deno.test("TxBuffer keeps frames back until there are 32, then sends all, in order", () => {
  using lab = new GuestLab();
  const out = new TxBuffer(lab.tx(0), lab.rx(0), 32);
  out.add(lab.burst(frames(31)), 31);
  deepEqual(lab.sent(), []);
  out.add(lab.burst(frames(1, 31)), 1);
  deepEqual(lab.sent(), frames(32));
  out.flush();
  deepEqual(lab.sent(), []);
});

Deno.test("TxBuffer sends a full burst at once, and as much as 63 frames together", () => {
  using lab = new GuestLab({ ringSize: 128 });
  const out = new TxBuffer(lab.tx(0), lab.rx(0), 32);
  out.add(lab.burst(frames(32)), 32);
  deepEqual(lab.sent(), frames(32));
  out.add(lab.burst(frames(31, 32)), 31);
  out.add(lab.burst(frames(32, 63)), 32);
  deepEqual(lab.sent(), frames(63, 32));
  equal(counted(lab.counters[0]).TX, 95);
});

Deno.test("TxBuffer.flush() sends what there is, once", () => {
  using lab = new GuestLab();
  const out = new TxBuffer(lab.tx(0), lab.rx(0), 32);
  out.flush();
  out.add(lab.burst(frames(3)), 3);
  out.flush();
  deepEqual(lab.sent(), frames(3));
  out.flush();
  out.add(lab.burst(frames(2, 3)), 2);
  out.flush();
  deepEqual(lab.sent(), frames(2, 3));
});

Deno.test("TxBuffer does not mind what becomes of the burst that it was given", () => {
  using lab = new GuestLab();
  const out = new TxBuffer(lab.tx(0), lab.rx(0), 32);
  const burst = lab.burst(frames(5));
  out.add(burst, 5);
  burst.words.fill(0);
  out.flush();
  deepEqual(lab.sent(), frames(5));
});

for (const [what, first] of [["a full burst", 0], ["what it had kept back", 3]] as const) {
  Deno.test(`TxBuffer frees and counts what the port does not take of ${what}`, () => {
    using lab = new GuestLab({ ports: 2, ringSize: 16 });
    const out = new TxBuffer(lab.tx(1), lab.rx(0), 32);
    const freed: number[] = [];
    lab.isOver = () => {
      freed.push(...lab.givenBack(0));
      return false;
    };
    if (first > 0) out.add(lab.burst(frames(first)), first);
    const burst = lab.burst(frames(32, first));
    out.add(burst, 32);
    freed.push(...lab.givenBack(0));
    deepEqual(lab.sent(1), frames(16));
    const rest = burst.words.subarray(2 * (16 - first), 64);
    deepEqual(freed, [...rest.filter((_, i) => i % 2 === 0)]);
    deepEqual(lab.givenBack(1), [], "by the port whose lcore this is");
    const { TX, DROPPED } = counted(lab.counters[1]);
    deepEqual({ TX, DROPPED }, { TX: 16, DROPPED: 16 + first });
    equal(counted(lab.counters[0]).DROPPED, 0);
    out.flush();
    deepEqual(lab.sent(1), [], "nothing is sent twice");
  });
}
