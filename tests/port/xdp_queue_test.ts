import { deepEqual, equal, ok } from "node:assert/strict";
import { COUNTER, newCounters } from "../../app/port/counters.ts";
import { cellsIn, dataWord } from "../../app/mempool/mbuf.ts";
import { roomFor, takeBack, XDP_BATCH, XDP_RING_SIZE, XdpQueue } from "../../app/port/xdp_queue.ts";
import { Burst } from "../../app/ring/burst.ts";
import { Random } from "../kit/random.ts";
import { FakeKernel } from "./kernel_rings.ts";
import { PortLab } from "./port_lab.ts";

const MBUFS = 1024, ROOM = 128, FIRST = 2048, STRIDE = 2368, HEADROOM = 256;

/** A queue between a mempool and a kernel that a test plays. */
class QueueLab implements Disposable {
  readonly lab: PortLab;
  readonly kernel = new FakeKernel(XDP_RING_SIZE);
  readonly counters = newCounters(1)[0];
  readonly kernels: Uint8Array;
  readonly queue: XdpQueue;
  readonly burst = Burst.of(XDP_BATCH);

  constructor(long = 0) {
    this.lab = new PortLab(MBUFS, long);
    const { mbufs, mempool } = this.lab;
    this.kernels = new Uint8Array(cellsIn(mbufs));
    const resources = { mbufs, mempool, first: FIRST, kernels: this.kernels, room: ROOM };
    this.queue = new XdpQueue(-1, this.kernel.rings, resources);
  }

  /** Mbufs that the kernel has, as the port's marks tell. */
  get marked(): number {
    return this.kernels.reduce((sum, mark) => sum + mark, 0);
  }

  /** Put `count` new frames of 60 bytes into the tx ring; returns how many fit. */
  post(count: number): number {
    const { mempool } = this.lab;
    equal(mempool.allocBulk(this.burst, count), count);
    for (let i = 0; i < count; i++) this.burst.words[2 * i + 1] = dataWord(130 + i, 60 + i);
    const n = this.queue.post(this.burst, count, 0);
    mempool.free(this.burst, count - n, n);
    return n;
  }

  /** Let the kernel take frames, and the queue see that. */
  count(): { taken: number; sent: number } {
    const before = this.counters[COUNTER.TX];
    this.queue.kick();
    const taken = this.queue.countSent(this.counters);
    return { taken, sent: this.counters[COUNTER.TX] - before };
  }

  [Symbol.dispose](): void {
    this.lab[Symbol.dispose]();
    this.kernel[Symbol.dispose]();
  }
}

Deno.test("XdpQueue gives the kernel mbufs to receive into, each once", () => {
  using its = new QueueLab();
  equal(its.lab.mempool.available, MBUFS - ROOM);
  const indexes = new Set<number>();
  for (let address; (address = its.kernel.takeBuffer()) !== undefined;) {
    equal((address - FIRST) % STRIDE, 0);
    indexes.add((address - FIRST) / STRIDE);
  }
  equal(indexes.size, ROOM);
  equal(its.marked, ROOM);
  ok([...indexes].every((index) => its.kernels[index] === 1));
});

Deno.test("XdpQueue.receive() makes descriptors of what the kernel received, and gives it new mbufs", () => {
  using its = new QueueLab();
  const { kernel, queue, burst, lab } = its;
  for (let round = 0; round < 3 * XDP_RING_SIZE / XDP_BATCH; round++) {
    const expected: number[] = [];
    for (let i = 0; i < XDP_BATCH; i++) {
      const address = kernel.takeBuffer()!;
      kernel.receive(address, HEADROOM, 60 + i);
      expected.push((address - FIRST) / STRIDE, dataWord(HEADROOM, 60 + i));
    }
    equal(queue.receive(burst, XDP_BATCH, 0), XDP_BATCH);
    deepEqual([...burst.words], expected);
    equal(its.marked, ROOM);
    lab.mempool.free(burst, XDP_BATCH);
  }
  equal(queue.receive(burst, XDP_BATCH, 0), 0);
});

Deno.test("XdpQueue finds each mbuf of a region by its address, also in aligned chunks", () => {
  using its = new QueueLab();
  const { kernel, queue, burst } = its;
  for (let index = 0; index < MBUFS; index++) {
    const offset = index % 3 === 0 ? HEADROOM : 0; // in the address itself, or in its upper word
    kernel.receive(FIRST + index * STRIDE + HEADROOM - offset, offset, 60);
    equal(queue.receive(burst, 1, 5), 1);
    deepEqual([...burst.words.subarray(10, 12)], [index, dataWord(HEADROOM, 60)]);
  }
});

Deno.test("XdpQueue without a free mbuf goes on receiving, and fills up when there are some", () => {
  using its = new QueueLab();
  const { kernel, queue, burst, lab: { mempool } } = its;
  const all = Burst.of(MBUFS);
  const half = mempool.allocBurst(all, MBUFS / 2);
  const held = half + mempool.allocBurst(all, MBUFS / 2, half);
  for (let i = 0; i < ROOM; i++) kernel.receive(kernel.takeBuffer()!, HEADROOM, 60);
  equal(queue.receive(burst, XDP_BATCH, 0), XDP_BATCH);
  queue.refill();
  ok(queue.wasStarved);
  equal(its.marked, XDP_BATCH);
  equal(kernel.takeBuffer(), undefined);
  mempool.free(all, held);
  queue.wasStarved = false;
  queue.refill();
  ok(!queue.wasStarved);
  equal(its.marked, ROOM);
  ok(kernel.takeBuffer() !== undefined);
});

Deno.test("roomFor() is a port's room in equal parts: whole batches, at least one", () => {
  deepEqual([1, 2, 3, 64].map((queues) => roomFor(2048, queues)), [2048, 1024, 640, XDP_BATCH]);
  equal(roomFor(XDP_BATCH - 1, 1), XDP_BATCH);
});

Deno.test("takeBack() frees long mbufs, too, whose frames the kernel has not sent", () => {
  using its = new QueueLab(4);
  const { queue, burst, lab: { mempool, mbufs }, kernels } = its;
  equal(mempool.long!.allocBulk(burst, 3), 3);
  for (let i = 0; i < 3; i++) burst.words[2 * i + 1] = dataWord(HEADROOM, 60);
  equal(queue.post(burst, 3, 0), 3);
  equal(its.marked, ROOM + 3);
  takeBack({ mbufs, mempool, first: FIRST, kernels });
  equal(its.marked, 0);
  deepEqual([mempool.available, mempool.long!.available], [MBUFS, 4]);
});

Deno.test("XdpQueue.post() tells the kernel address, offset and length; mbufs come back when sent", () => {
  using its = new QueueLab();
  const { kernel, queue, lab } = its;
  const free = lab.mempool.available;
  equal(its.post(10), 10);
  ok(queue.isSending);
  equal(queue.unsent, 10);
  const frames = Array.from({ length: 10 }, () => kernel.takeFrame()!);
  frames.forEach(({ address, offset, length }, i) => {
    equal(address, FIRST + its.burst.words[2 * i] * STRIDE);
    deepEqual([offset, length], [130 + i, 60 + i]);
  });
  deepEqual(its.count(), { taken: 10, sent: 10 });
  equal(its.counters[COUNTER.TX_BYTES], 10 * 60 + 45);
  equal(lab.mempool.available, free - 10, "sent, but not given back");
  for (const { address, offset } of frames.reverse()) kernel.complete(address, offset);
  queue.reap();
  ok(!queue.isSending);
  equal(lab.mempool.available, free);
  equal(its.marked, ROOM);
});

Deno.test("XdpQueue.post() takes no more than are given back: completions that never come stop it", () => {
  using its = new QueueLab();
  const { kernel } = its;
  for (let posted = 0; posted < ROOM; posted += XDP_BATCH) equal(its.post(XDP_BATCH), XDP_BATCH);
  equal(its.post(1), 0);
  const { address, offset } = kernel.takeFrame()!;
  equal(its.post(1), 0);
  kernel.complete(address, offset);
  equal(its.post(2), 1);
});

Deno.test("XdpQueue.lose() does not count the frame that the kernel dropped, told or not yet told", () => {
  using its = new QueueLab();
  const { kernel, queue, counters } = its;
  its.post(4); // 60, 61, 62 and 63 bytes
  kernel.takeFrame(), kernel.takeFrame();
  queue.kick();
  equal(queue.lose(), 61, "the one that it took last");
  equal(queue.countSent(counters), 2);
  equal(counters[COUNTER.TX], 1);
  queue.kick();
  equal(queue.lose(), 62, "it has not told that it took it");
  equal(queue.countSent(counters), 0);
  queue.kick();
  equal(queue.lose(), 63);
  kernel.takeFrame(), kernel.takeFrame();
  deepEqual(its.count(), { taken: 2, sent: 0 });
  equal(queue.unsent, 0);
  equal(counters[COUNTER.TX_BYTES], 60);
});

Deno.test("XdpQueue keeps account of every mbuf whatever the order of things", () => {
  using its = new QueueLab();
  const { kernel, queue, burst, lab: { mempool } } = its;
  const random = new Random(5);
  const sent: { address: number; offset: number }[] = [];
  let inHand = 0;
  const hand = Burst.of(MBUFS);
  for (let step = 0; step < 20_000; step++) {
    const n = random.below(XDP_BATCH) + 1;
    switch (random.below(5)) {
      case 0:
        for (let i = 0, address; i < n && (address = kernel.takeBuffer()) !== undefined; i++) {
          kernel.receive(address, HEADROOM, 60);
        }
        break;
      case 1: {
        const received = queue.receive(burst, Math.min(n, MBUFS - inHand), 0);
        hand.words.set(burst.words.subarray(0, 2 * received), 2 * inHand);
        inHand += received;
        break;
      }
      case 2: {
        const count = Math.min(n, inHand);
        const posted = queue.post(hand, count, inHand - count);
        const left = 2 * (inHand - count + posted); // what was not taken moves down
        hand.words.copyWithin(left - 2 * posted, left, 2 * inHand);
        inHand -= posted;
        break;
      }
      case 3:
        for (let i = 0, frame; i < n && (frame = kernel.takeFrame()); i++) sent.push(frame);
        its.count();
        break;
      case 4:
        for (const { address, offset } of sent.splice(random.below(sent.length + 1), n)) {
          kernel.complete(address, offset);
        }
        queue.reap();
    }
    equal(mempool.available + its.marked + inHand, MBUFS, `step ${step}`);
  }
});
