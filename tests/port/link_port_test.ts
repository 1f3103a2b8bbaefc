import { deepEqual, equal } from "node:assert/strict";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { COUNTER, type Counters, droppedBy, newCounters } from "../../app/port/counters.ts";
import type { PortResources } from "../../app/port/port_resources.ts";
import { joinLinks, LinkPort } from "../../app/port/link_port.ts";
import { RingPort } from "../../app/port/ring_port.ts";
import { Random } from "../kit/random.ts";
import { PortLab } from "./port_lab.ts";
import { Burst } from "../../app/ring/burst.ts";

/** Frames that fit into each direction of a link. */
const LINK_SIZE = 256;

/** A link's end in a lab's region, with counters of its own. */
class End extends LinkPort {
  readonly counters: Counters;

  constructor(readonly lab: PortResources, counters = newCounters(1)[0]) {
    super("link:ab", { ...resourcesOf(lab), counters });
    this.counters = counters;
  }

  count(counter: keyof typeof COUNTER): number {
    return this.counters[COUNTER[counter]];
  }
}

function resourcesOf({ mbufs, mempool, counters, frameMax }: PortResources): PortResources {
  return { mbufs, mempool, counters, frameMax };
}

function linked(a: PortResources, b: PortResources): [End, End] {
  const ends: [End, End] = [new End(a), new End(b)];
  ends[0].join(ends[1]);
  return ends;
}

/** Frames of `bytes`, one more byte each; the first byte of each is `seed`, one more each. */
function frames(lab: PortLab, count: number, bytes = 60, seed = 1): Burst {
  const burst = Burst.of(count);
  equal(lab.mempool.allocBulk(burst, count), count);
  for (let i = 0; i < count; i++) {
    burst.words[2 * i + 1] = dataWord(100 + i, bytes + i);
    const byte = lab.mbufs.frameByte(burst.words[2 * i], burst.words[2 * i + 1]);
    lab.mbufs.u8.fill(seed + i, byte, byte + bytes + i);
  }
  return burst;
}

/** The bytes of each frame. */
function bytesOf(lab: PortLab, burst: Burst, count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const byte = lab.mbufs.frameByte(burst.words[2 * i], burst.words[2 * i + 1]);
    return lab.mbufs.u8.slice(byte, byte + (burst.words[2 * i + 1] >>> 16)).toHex();
  });
}

Deno.test("LinkPort hands descriptors over to the other end, in order, both ways, uncopied", () => {
  using lab = new PortLab(64);
  const [a, b] = linked(lab, lab);
  const sent = frames(lab, 8);
  const received = Burst.of(32);
  for (const [from, to] of [[a, b], [b, a]]) {
    equal(from.txBurst(sent, 8), 8);
    equal(from.rxBurst(received, 32), 0, "nothing comes back to the end that sent it");
    equal(to.rxBurst(received, 3), 3);
    deepEqual(received.words.subarray(0, 6), sent.words.subarray(0, 6));
    equal(to.rxBurst(received, 32), 5);
    deepEqual(received.words.subarray(0, 10), sent.words.subarray(6));
    equal(to.rxBurst(received, 32), 0);
  }
  const bytes = 8 * 60 + 28;
  for (const end of [a, b]) {
    deepEqual([end.count("TX"), end.count("TX_BYTES")], [8, bytes]);
    deepEqual([end.count("RX"), end.count("RX_BYTES")], [8, bytes]);
  }
  lab.mempool.free(sent, 8);
  lab.checkAllFree();
});

Deno.test("LinkPort copies frames into the mbufs of the other end's region, and frees the sources", () => {
  using one = new PortLab(64);
  using two = new PortLab(64);
  const [a, b] = linked(one, two);
  const sent = frames(one, 8);
  const wanted = bytesOf(one, sent, 8);
  equal(a.txBurst(sent, 8), 8);
  equal(one.mempool.available, 56);
  const received = Burst.of(32);
  equal(b.rxBurst(received, 5), 5);
  equal(one.mempool.available, 61);
  equal(two.mempool.available, 59);
  deepEqual(bytesOf(two, received, 5), wanted.slice(0, 5));
  for (let i = 0; i < 5; i++) {
    equal(received.words[2 * i + 1], dataWord(128, 60 + i), "full headroom");
  }
  one.mbufs.u8.fill(0xff);
  deepEqual(bytesOf(two, received, 5), wanted.slice(0, 5), "none of the other region's memory");
  two.mempool.free(received, 5);
  equal(b.rxBurst(received, 32), 3);
  two.mempool.free(received, 3);
  deepEqual([a.count("TX"), b.count("RX"), droppedBy(b.counters)], [8, 8, 0]);
  deepEqual([a.count("TX_BYTES"), b.count("RX_BYTES")], [8 * 60 + 28, 8 * 60 + 28]);
  one.checkAllFree();
  two.checkAllFree();
});

Deno.test("LinkPort drops what it finds no mbuf for in the region that receives, and counts it there", () => {
  using one = new PortLab(64);
  using two = new PortLab(8);
  const [a, b] = linked(one, two);
  equal(a.txBurst(frames(one, 20), 20), 20);
  const received = Burst.of(32);
  equal(b.rxBurst(received, 32), 8);
  deepEqual([b.count("RX"), b.count("NO_MBUF"), a.count("NO_MBUF")], [20, 12, 0]);
  one.checkAllFree();
  equal(a.txBurst(frames(one, 5), 5), 5);
  equal(b.rxBurst(Burst.of(32), 32), 0);
  deepEqual([b.count("RX"), b.count("NO_MBUF")], [25, 17]);
  two.mempool.free(received, 8);
  one.checkAllFree();
  two.checkAllFree();
});

Deno.test("LinkPort drops frames for which the mbufs that receive are too small", () => {
  using one = new PortLab(64);
  using two = new PortLab(64);
  const [a, b] = linked(one, two);
  const sent = frames(one, 3, 2240); // the third is 2242 bytes; 2368 - 128 have room
  equal(a.txBurst(sent, 3), 3);
  const received = Burst.of(32);
  equal(b.rxBurst(received, 32), 1);
  deepEqual([b.count("RX"), b.count("OVERSIZE")], [3, 2]);
  two.mempool.free(received, 1);
  one.checkAllFree();
  two.checkAllFree();
});

for (const regions of [1, 2]) {
  Deno.test(`LinkPort over ${regions} region takes only what fits; the rest stays with the caller`, () => {
    using one = new PortLab(400);
    using two = new PortLab(400);
    const [a, b] = linked(one, regions === 1 ? one : two);
    const sent = frames(one, 300, 60, 0);
    equal(a.txBurst(sent, 300), LINK_SIZE);
    equal(a.txBurst(sent, 1), 0);
    equal(a.count("TX"), LINK_SIZE);
    const received = Burst.of(300);
    equal(b.rxBurst(received, 10), 10);
    equal(a.txBurst(sent, 44, LINK_SIZE), 10);
    equal(b.rxBurst(received, 256), LINK_SIZE);
    b.lab.mempool.free(received, LINK_SIZE);
    equal(b.rxBurst(received, 256), 0);
  });

  Deno.test(`LinkPort.close() over ${regions} region frees what was not received, and counts it`, () => {
    using one = new PortLab(128);
    using two = new PortLab(128);
    const [a, b] = linked(one, regions === 1 ? one : two);
    equal(a.txBurst(frames(one, 100), 100), 100);
    equal(b.txBurst(frames(regions === 1 ? one : two, 20), 20), 20);
    a.close();
    b.close();
    deepEqual([a.count("RX"), a.count("STOPPED")], [20, 20]);
    deepEqual([b.count("RX"), b.count("STOPPED")], [100, 100]);
    one.checkAllFree();
    two.checkAllFree();
  });

  for (const seed of [1, 2, 3, 4]) {
    Deno.test(`LinkPort over ${regions} region keeps order and loses nothing: seed ${seed}`, () => {
      using one = new PortLab(300);
      using two = new PortLab(300);
      const random = new Random(seed);
      const ends = linked(one, regions === 1 ? one : two);
      const waiting: number[][] = [[], []]; // marks of the frames that each end is to receive
      let mark = 0;
      for (let turn = 0; turn < 3000; turn++) {
        const at = random.below(2);
        const { lab } = ends[at];
        const burst = Burst.of(64);
        if (random.below(2) === 0) {
          const n = lab.mempool.allocBurst(burst, random.below(65));
          for (let i = 0; i < n; i++) {
            burst.words[2 * i + 1] = dataWord(random.below(200), 14 + random.below(1500));
            lab.mbufs.u8[lab.mbufs.frameByte(burst.words[2 * i], burst.words[2 * i + 1])] = mark +
              i;
          }
          const sent = ends[at].txBurst(burst, n);
          for (let i = 0; i < sent; i++) waiting[1 - at].push(mark + i & 0xff);
          mark += sent;
          lab.mempool.free(burst, n - sent, sent);
        } else {
          const before = ends[at].count("NO_MBUF");
          const n = ends[at].rxBurst(burst, random.below(65));
          for (let i = 0; i < n; i++) {
            const first =
              lab.mbufs.u8[lab.mbufs.frameByte(burst.words[2 * i], burst.words[2 * i + 1])];
            equal(first, waiting[at].shift());
          }
          waiting[at].splice(0, ends[at].count("NO_MBUF") - before);
          lab.mempool.free(burst, n);
        }
      }
      for (const end of ends) end.close();
      const sum = (counter: keyof typeof COUNTER) =>
        ends[0].count(counter) + ends[1].count(counter);
      equal(sum("TX"), mark);
      equal(sum("RX"), mark);
      deepEqual(ends.map((end) => end.count("STOPPED")), waiting.map(({ length }) => length));
      one.checkAllFree();
      two.checkAllFree();
    });
  }
}

Deno.test("LinkPort's positions wrap", () => {
  using lab = new PortLab(64);
  const [a, b] = linked(lab, lab);
  const sent = frames(lab, 32);
  const received = Burst.of(32);
  for (let turn = 0; turn < 100; turn++) {
    equal(a.txBurst(sent, 31), 31);
    equal(b.rxBurst(received, 32), 31);
    deepEqual(received.words.subarray(0, 62), sent.words.subarray(0, 62));
  }
});

Deno.test("LinkPort that is joined to nothing receives nothing, and frees nothing twice", () => {
  using lab = new PortLab(64);
  const end = new End(lab);
  equal(end.rxBurst(Burst.of(32), 32), 0);
  end.close();
  lab.checkAllFree();
});

Deno.test("LinkPort has no kernel side: it is up, and nothing to poll", () => {
  using lab = new PortLab(64);
  const end = new End(lab);
  end.refresh();
  equal(end.isUp, true);
  deepEqual(end.pollable, []);
  equal(end.name, "link:ab");
});

Deno.test("joinLinks() joins those of one name, whatever stands between them", () => {
  using lab = new PortLab(64);
  const link = (name: string) => new LinkPort(name, lab);
  const [x1, y1, x2, y2] = ["link:x", "link:y", "link:x", "link:y"].map(link);
  joinLinks([x1, new RingPort("ring", 8, lab), y1, x2, new RingPort("link:x", 8, lab), y2]);
  const [burst, received] = [frames(lab, 2), Burst.of(32)];
  for (const [from, to, others] of [[x1, x2, [y1, y2]], [y2, y1, [x1, x2]]] as const) {
    equal(from.txBurst(burst, 2), 2);
    for (const other of others) equal(other.rxBurst(received, 32), 0);
    equal(to.rxBurst(received, 32), 2);
  }
});
