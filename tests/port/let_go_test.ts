import { equal } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { COUNTER, droppedBy, newCounters } from "../../app/port/counters.ts";
import { LinkPort } from "../../app/port/link_port.ts";
import { RingPort } from "../../app/port/ring_port.ts";
import { PlainKernelPort } from "./plain_kernel_port.ts";
import { PortLab } from "./port_lab.ts";
import { Burst } from "../../app/ring/burst.ts";

/** A kernel port at which `waiting` frames of 60 bytes wait. */
class SlotPort extends PlainKernelPort {
  waiting = 0;
  protected override receive(
    _: number,
    __: Burst,
    ___: number,
    room: number,
    count: number,
  ): number {
    const n = Math.min(count & 0xffff, this.waiting);
    this.waiting -= n;
    for (let i = 0; i < n; i++) shim.shim_store_release(room, 4 * i, 60); // its length
    return n;
  }
}

Deno.test("KernelPort.letGo() frees its slots, counts the frames in them, and goes on", () => {
  using lab = new PortLab(128);
  const port = new SlotPort(lab);
  const burst = Burst.of(64);
  port.waiting = 8;
  equal(port.rxBurst(burst, 5), 5);
  equal(lab.mempool.available, 128 - 32);
  port.letGo();
  equal(lab.mempool.available, 128 - 5, "but for those that were handed out");
  equal(lab.counters[COUNTER.RX], 8);
  equal(lab.counters[COUNTER.STOPPED], 3);
  lab.mempool.free(burst, 5);
  lab.checkAllFree();
  port.waiting = 8;
  equal(port.rxBurst(burst, 64), 8);
  lab.mempool.free(burst, 8);
  port.close();
  lab.checkAllFree();
});

Deno.test("RingPort.letGo() frees what waits in it, and goes on", () => {
  using lab = new PortLab(128);
  const port = new RingPort("ring", 64, lab);
  const burst = Burst.of(20);
  lab.mempool.allocBulk(burst, 20);
  port.txBurst(burst, 20);
  port.letGo();
  lab.checkAllFree();
  lab.mempool.allocBulk(burst, 20);
  equal(port.txBurst(burst, 20), 20);
  equal(port.rxBurst(burst, 20), 20);
  lab.mempool.free(burst, 20);
  lab.checkAllFree();
});

Deno.test("LinkPort.letGo() frees what was sent there, not what was sent at the other end", () => {
  using here = new PortLab(64);
  using there = new PortLab(64);
  const [a, b] = [here, there].map(({ mbufs, mempool, frameMax }) => {
    const counters = newCounters(1)[0];
    return { port: new LinkPort("link:x", { mbufs, mempool, frameMax, counters }), counters };
  });
  a.port.join(b.port);
  for (const [lab, { port }] of [[here, a], [there, b]] as const) {
    const burst = Burst.of(10);
    lab.mempool.allocBulk(burst, 10);
    for (let i = 0; i < 10; i++) burst.words[2 * i + 1] = dataWord(128, 60);
    port.txBurst(burst, 10);
  }
  a.port.letGo();
  here.checkAllFree();
  equal(there.mempool.available, 54);
  equal(a.counters[COUNTER.TX], b.counters[COUNTER.RX]);
  equal(droppedBy(b.counters), 10);
  b.port.letGo();
  there.checkAllFree();
});
