import { deepEqual, equal } from "node:assert/strict";
import { GUEST_COUNTER } from "../../app/guest/virtual_port.ts";
import { counted } from "./guest_counters.ts";
import { GuestLab, macOf, someFrame } from "./guest_lab.ts";
import { Burst } from "../../app/ring/burst.ts";
import { burstOf } from "../kit/burst_of.ts";

const FRAMES = [60, 61, 62].map((bytes) => someFrame(bytes));

Deno.test("RxEnd.rxBurst() receives what the host lends, and counts frames and bytes", () => {
  using lab = new GuestLab();
  lab.lend(FRAMES);
  const burst = Burst.of(32);
  equal(lab.rx().rxBurst(burst, 2), 2);
  equal(lab.rx().rxBurst(burst, 32), 1);
  equal(lab.rx().rxBurst(burst, 32), 0);
  deepEqual(lab.frame(burst, 0), FRAMES[2]);
  deepEqual(counted(lab.counters[0]), {
    RX: 3,
    RX_BYTES: 183,
    TX: 0,
    TX_BYTES: 0,
    DROPPED: 0,
    RX_DROPPED: 0,
  });
});

Deno.test("TxEnd.txBurst() sends what the ring has room for, and counts no more", () => {
  using lab = new GuestLab({ ringSize: 2 });
  const burst = lab.burst(FRAMES);
  equal(lab.tx().txBurst(burst, 3), 2);
  equal(lab.tx().txBurst(burst, 3), 0);
  deepEqual(lab.sent(), FRAMES.slice(0, 2));
  deepEqual(counted(lab.counters[0]), {
    RX: 0,
    RX_BYTES: 0,
    TX: 2,
    TX_BYTES: 121,
    DROPPED: 0,
    RX_DROPPED: 0,
  });
});

Deno.test("TxEnd.countDropped() counts frames that this port could not send", () => {
  using lab = new GuestLab();
  lab.tx().countDropped(3);
  lab.tx().countDropped(4);
  equal(counted(lab.counters[0]).DROPPED, 7);
});

Deno.test("RxEnd.drop() gives mbufs back, and counts what the mode did not want", () => {
  using lab = new GuestLab();
  const burst = Burst.of(4);
  lab.rx().drop(burst, 3, 1);
  lab.rx().drop(burst, 0);
  equal(lab.counters[0][GUEST_COUNTER.RX_DROPPED], 3);
  equal(lab.counters[0][GUEST_COUNTER.DROPPED], 0);
});

Deno.test("RxEnd.free() gives mbufs back in one go, if there is room", () => {
  using lab = new GuestLab();
  const burst = lab.burst(FRAMES);
  lab.rx().free(burst, 2);
  deepEqual(lab.givenBack(), [burst.words[0], burst.words[2]]);
  lab.rx().free(burst, 0);
  deepEqual(lab.givenBack(), []);
});

Deno.test("RxEnd.free() waits for room, and gives each mbuf back once", () => {
  using lab = new GuestLab({ ringSize: 8 });
  const burst = lab.burst(Array(20).fill(FRAMES[0]));
  const taken: number[] = [];
  lab.isOver = () => {
    taken.push(...lab.givenBack()); // the host comes by while the guest waits
    return false;
  };
  lab.rx().free(burst, 20);
  taken.push(...lab.givenBack());
  deepEqual(taken, Array.from({ length: 20 }, (_, i) => burst.words[2 * i]));
});

Deno.test("RxEnd.free() gives up waiting once its time is over", () => {
  using lab = new GuestLab({ ringSize: 8 });
  const burst = lab.burst(Array(20).fill(FRAMES[0]));
  let asked = 0;
  lab.isOver = () => ++asked === 3;
  lab.rx().free(burst, 20);
  equal(asked, 3);
  equal(lab.givenBack().length, 8);
});

Deno.test("RxEnd.allocBurst() takes mbufs that the host has lent empty, which are no frames", () => {
  using lab = new GuestLab();
  lab.host[0].lend.enqueueBulk(burstOf([5, 128, 6, 128, 7, 128]), 3);
  const burst = Burst.of(32);
  equal(lab.rx().allocBurst(burst, 2), 2);
  deepEqual([...burst.words.subarray(0, 4)], [5, 128, 6, 128]);
  equal(lab.rx().allocBurst(burst, 32), 1);
  equal(lab.rx().allocBurst(burst, 32), 0);
  equal(counted(lab.counters[0]).RX, 0);
});

Deno.test("RxEnd knows the number and MAC address of the host's port", () => {
  using lab = new GuestLab({ ports: 2 });
  deepEqual([0, 1].map((port) => [lab.rx(port).number, lab.rx(port).mac]), [
    [0, macOf(0)],
    [1, macOf(1)],
  ]);
});

Deno.test("VirtualPorts makes one object for each end, wherever it is asked for", () => {
  using lab = new GuestLab({ ports: 2 });
  const [there, back] = [lab.lane(0, 1), lab.lane(1, 0)];
  equal(there.from, lab.rx(0));
  equal(back.from, lab.rx(1));
  equal(lab.tx(0), lab.tx(0));
  const burst = lab.burst(FRAMES);
  lab.tx(1).txBurst(burst, 1); // beside the lane's own buffer
  there.out.add(burst, 1);
  there.out.flush();
  lab.tx(1).txBurst(burst, 1, 2);
  equal(lab.sent(1).length, 3);
  equal(lab.host[1].violations, 0);
});
