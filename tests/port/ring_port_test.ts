import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { RingPort } from "../../app/port/ring_port.ts";
import { PortLab } from "./port_lab.ts";
import { Burst } from "../../app/ring/burst.ts";

/** `count` frames of 100 bytes, 101 bytes and so on, in mbufs of the lab's mempool. */
function frames(lab: PortLab, count: number): Burst {
  const burst = Burst.of(count);
  equal(lab.mempool.allocBulk(burst, count), count);
  for (let i = 0; i < count; i++) burst.words[2 * i + 1] = dataWord(128, 100 + i);
  return burst;
}

Deno.test("RingPort receives what is sent to it, in order, and counts both ways", () => {
  using lab = new PortLab(64);
  const port = new RingPort("ring", 16, lab);
  const sent = frames(lab, 8);
  equal(port.txBurst(sent, 8), 8);
  const received = Burst.of(32);
  equal(port.rxBurst(received, 3), 3);
  deepEqual(received.words.subarray(0, 6), sent.words.subarray(0, 6));
  equal(lab.counters[COUNTER.RX], 3);
  equal(lab.counters[COUNTER.RX_BYTES], 100 + 101 + 102);
  equal(port.rxBurst(received, 32), 5);
  deepEqual(received.words.subarray(0, 10), sent.words.subarray(6));
  equal(port.rxBurst(received, 32), 0);
  equal(lab.counters[COUNTER.RX], 8);
  equal(lab.counters[COUNTER.TX], 8);
  equal(lab.counters[COUNTER.TX_BYTES], 8 * 100 + 28);
  equal(lab.counters[COUNTER.RX_BYTES], 8 * 100 + 28);
});

Deno.test("RingPort.txBurst() takes only what fits; the rest stays with the caller", () => {
  using lab = new PortLab(64);
  const port = new RingPort("ring", 8, lab);
  const burst = frames(lab, 10);
  equal(port.txBurst(burst, 10), 8);
  equal(port.txBurst(burst, 1), 0);
  equal(lab.counters[COUNTER.TX], 8);
  equal(lab.mempool.available, 54);
  lab.mempool.free(burst, 2, 8);
  port.close();
  lab.checkAllFree();
});

Deno.test("RingPort.close() frees the frames that nobody received", () => {
  using lab = new PortLab(256);
  const port = new RingPort("ring", 128, lab);
  equal(port.txBurst(frames(lab, 100), 100), 100);
  equal(lab.mempool.available, 156);
  port.close();
  lab.checkAllFree();
});

Deno.test("RingPort has no kernel side: it is up, and nothing to poll", () => {
  using lab = new PortLab(64);
  const port = new RingPort("ring:a", 8, lab);
  port.refresh();
  ok(port.isUp);
  deepEqual(port.pollable, []);
  equal(port.name, "ring:a");
});

Deno.test("RingPort refuses a size that is no power of two", () => {
  using lab = new PortLab(64);
  throws(() => new RingPort("ring", 12, lab), { name: "CulvertError", message: /12 slots/ });
});
