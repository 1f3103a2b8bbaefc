/**
 * Super-frames through links, in one region and between two.
 *
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { Drain } from "../../app/host/drain.ts";
import type { HostedPort } from "../../app/host/hosted_ports.ts";
import { DESCRIPTOR, DESCRIPTOR_FLAG, HEADROOM_BYTES } from "../../app/memory/layout.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { COUNTER, newCounters } from "../../app/port/counters.ts";
import { LinkPort } from "../../app/port/link_port.ts";
import { wordOf } from "../../app/port/offload_header.ts";
import { Burst } from "../../app/ring/burst.ts";
import { PortLab } from "./port_lab.ts";
import { frameOf, metadataOf, PLAIN, segmentsOf } from "./packets.ts";

const { SUPER } = DESCRIPTOR_FLAG;
const { RX, TX, OFFLOAD, OVERSIZE, NO_MBUF, STOPPED, TUNNEL } = COUNTER;
const LARGE = { ...PLAIN, payload: Uint8Array.from({ length: 60_000 }, (_, i) => i * 31) };
const FRAME = frameOf(LARGE, false);
const SEGMENTS = segmentsOf(LARGE, 1448).map((bytes) => bytes.toHex());

/** Two ends of a link, each in its lab's region. */
class Ends {
  readonly counters = [newCounters(1)[0], newCounters(1)[0]];
  readonly a: LinkPort;
  readonly b: LinkPort;
  readonly burst = Burst.of(64);

  constructor(readonly from: PortLab, readonly to: PortLab, passesWhole: boolean) {
    const [a, b] = [from, to].map(({ mbufs, mempool, frameMax }, i) =>
      new LinkPort("link:x", { mbufs, mempool, frameMax, counters: this.counters[i] })
    );
    a.join(b);
    b.passesWhole = passesWhole;
    [this.a, this.b] = [a, b];
  }

  /** Send a super-frame by end `a`, behind a plain frame and in front of another. */
  send(spoil: (words: Uint32Array, at: number) => void = () => {}): void {
    const { burst, from: { mempool, mbufs } } = this;
    mempool.allocBulk(burst, 3);
    mempool.free(burst, 1, 1);
    mempool.long!.allocBulk(burst, 1, 1);
    for (const i of [0, 2]) burst.words[2 * i + 1] = dataWord(HEADROOM_BYTES, 60);
    const byte = mbufs.frameByte(burst.words[2], HEADROOM_BYTES);
    mbufs.u8.set(FRAME, byte);
    const { offload, checksum } = metadataOf(LARGE, 1448);
    const at = wordOf(mbufs, burst.words[2]);
    mbufs.u32[at] = offload & 0xffff;
    mbufs.u32[at + 1] = offload >>> 16 | checksum << 16;
    mbufs.u32[at + 2] = checksum >>> 16;
    spoil(mbufs.u32, at);
    burst.words[2] |= SUPER;
    burst.words[3] = dataWord(HEADROOM_BYTES, FRAME.length);
    equal(this.a.txBurst(burst, 3), 3);
  }

  /** Receive all by end `b`, `max` at a time: each frame's bytes, and whether it is SUPER. */
  receive(max = 64): { hex: string; isSuper: boolean }[] {
    const { burst, to: { mempool, mbufs } } = this;
    const found = [];
    for (let n; (n = this.b.rxBurst(burst, max)) > 0;) {
      for (let i = 0; i < n; i++) {
        const [word0, word1] = burst.words.subarray(2 * i);
        const byte = mbufs.frameByte(word0, word1);
        const hex = mbufs.u8.slice(byte, byte + (word1 >>> 16)).toHex();
        found.push({ hex, isSuper: (word0 & SUPER) !== 0 });
      }
      mempool.free(burst, n);
    }
    return found;
  }

  /** Whether a host that stops finds nothing in the link. */
  get isDrained(): boolean {
    const opened = { setup: { kind: "link" } };
    const ports = this.counters.map((counters) => ({ counters, opened })) as unknown[];
    const drain = new Drain([], ports as HostedPort[], Infinity);
    return !drain.isOver(0) && drain.isOver(0);
  }
}

for (const where of ["in one region", "between two regions"]) {
  const isOne = where === "in one region";

  Deno.test(`LinkPort passes a super-frame whole ${where}, in order`, () => {
    using from = new PortLab(64, 4);
    using other = new PortLab(64, 4);
    const ends = new Ends(from, isOne ? from : other, true);
    ends.send();
    const found = ends.receive();
    deepEqual(found.map(({ isSuper }) => isSuper), [false, true, false]);
    equal(found[1].hex, FRAME.toHex());
    deepEqual([ends.counters[0][TX], ends.counters[1][RX]], [3, 3]);
    ok(ends.isDrained);
    from.checkAllFree();
    other.checkAllFree();
  });

  for (const max of [64, 7, 1]) {
    Deno.test(`LinkPort cuts a super-frame ${where} for who takes none, ${max} at a time`, () => {
      using from = new PortLab(64, 4);
      using other = new PortLab(64, 4);
      const ends = new Ends(from, isOne ? from : other, false);
      ends.send();
      const found = ends.receive(max);
      ok(found.every(({ isSuper }) => !isSuper));
      deepEqual(found.slice(1, -1).map(({ hex }) => hex), SEGMENTS);
      equal(ends.counters[1][RX], 2 + SEGMENTS.length);
      ok(ends.isDrained);
      from.checkAllFree();
      other.checkAllFree();
    });
  }

  Deno.test(`LinkPort drops a super-frame ${where} whose header lies, when it cuts it`, () => {
    using from = new PortLab(64, 4);
    using other = new PortLab(64, 4);
    const ends = new Ends(from, isOne ? from : other, false);
    ends.send((words, at) => words[at] = 0x0301);
    equal(ends.receive().length, 2);
    deepEqual([ends.counters[1][RX], ends.counters[1][OFFLOAD]], [3, 1]);
    from.checkAllFree();
  });

  Deno.test(`LinkPort drops a super-frame ${where} whose segments are too long, as many`, () => {
    using from = new PortLab(64, 4);
    using other = new PortLab(64, 4);
    const ends = new Ends(from, isOne ? from : other, false);
    ends.send((words, at) => words[at + 1] = words[at + 1] & ~0xffff | 1500);
    equal(ends.receive().length, 2);
    deepEqual([ends.counters[1][RX], ends.counters[1][OVERSIZE]], [42, 40]);
    ok(ends.isDrained);
    from.checkAllFree();
  });

  Deno.test(`LinkPort cuts no super-frame ${where} of 60,000 segments`, () => {
    using from = new PortLab(64, 4);
    using other = new PortLab(64, 4);
    const ends = new Ends(from, isOne ? from : other, false);
    ends.send((words, at) => words[at + 1] = words[at + 1] & ~0xffff | 1);
    equal(ends.receive().length, 2);
    deepEqual([ends.counters[1][RX], ends.counters[1][OFFLOAD]], [3, 1]);
    from.checkAllFree();
  });

  Deno.test(`LinkPort drops what it has no mbufs for when it cuts ${where}`, () => {
    using from = new PortLab(64, 4);
    using other = new PortLab(64, 4);
    const to = isOne ? from : other;
    const ends = new Ends(from, to, false);
    ends.send();
    const hoard = Burst.of(64);
    const kept = to.mempool.allocBurst(hoard, to.mempool.available - 10);
    const { burst } = ends;
    let n = 0;
    for (let more; (more = ends.b.rxBurst(burst, 64 - n, n)) > 0; n += more);
    const [rx, dropped] = [ends.counters[1][RX], ends.counters[1][NO_MBUF]];
    equal(rx, 2 + SEGMENTS.length);
    equal(dropped, rx - n);
    ok(dropped > 0);
    ok(ends.isDrained);
    to.mempool.free(burst, n);
    to.mempool.free(hoard, kept);
    from.checkAllFree();
    other.checkAllFree();
  });

  Deno.test(`LinkPort.letGo() frees the super-frame that is being cut ${where}`, () => {
    using from = new PortLab(64, 4);
    using other = new PortLab(64, 4);
    const to = isOne ? from : other;
    const ends = new Ends(from, to, false);
    ends.send();
    const { burst } = ends;
    equal(ends.b.rxBurst(burst, 1), 1);
    equal(ends.b.rxBurst(burst, 4, 1), 4);
    ok(!ends.isDrained);
    ends.a.letGo();
    ok(ends.isDrained);
    to.mempool.free(burst, 5);
    from.checkAllFree();
    other.checkAllFree();
    const [rx, stopped] = [ends.counters[1][RX], ends.counters[1][STOPPED]];
    deepEqual([rx, stopped], [2 + SEGMENTS.length, SEGMENTS.length - 4 + 1]);
  });
}

Deno.test("LinkPort makes the header anew between two regions: none of it is the other guest's", () => {
  using from = new PortLab(64, 4);
  using to = new PortLab(64, 4);
  const ends = new Ends(from, to, true);
  ends.send((words, at) => {
    words[at] |= 0xffff0000;
    words[at + 2] |= 0xffff0000;
  });
  const { burst } = ends;
  equal(ends.b.rxBurst(burst, 1), 1);
  equal(ends.b.rxBurst(burst, 1, 1), 1);
  const at = wordOf(to.mbufs, burst.words[2]);
  const { offload, checksum } = metadataOf(LARGE, 1448);
  deepEqual([...to.mbufs.u32.slice(at, at + 3)], [
    (offload & 0xffff | 66 << 16) >>> 0,
    (offload >>> 16 | checksum << 16) >>> 0,
    checksum >>> 16,
  ]);
  ok((burst.words[2] & DESCRIPTOR.INDEX_MASK) >= 64, "in a long mbuf");
  equal(ends.b.rxBurst(burst, 1, 2), 1);
  to.mempool.free(burst, 3);
  from.checkAllFree();
  to.checkAllFree();
});

Deno.test("LinkPort drops a super-frame from another region whose header lies", () => {
  using from = new PortLab(64, 4);
  using to = new PortLab(64, 4);
  const ends = new Ends(from, to, true);
  ends.send((words, at) => words[at + 1] = 0xffffffff);
  equal(ends.receive().length, 2);
  equal(ends.counters[1][TUNNEL] + ends.counters[1][OFFLOAD], 1);
  from.checkAllFree();
  to.checkAllFree();
});

Deno.test("LinkPort passes no super-frame of 60,000 segments to another region", () => {
  using from = new PortLab(64, 4);
  using to = new PortLab(64, 4);
  const ends = new Ends(from, to, true);
  ends.send((words, at) => words[at + 1] = words[at + 1] & ~0xffff | 1);
  equal(ends.receive().length, 2);
  deepEqual([ends.counters[1][RX], ends.counters[1][OFFLOAD]], [3, 1]);
  from.checkAllFree();
  to.checkAllFree();
});

Deno.test("LinkPort cuts a super-frame for a region that has no long mbufs", () => {
  using from = new PortLab(64, 4);
  using to = new PortLab(64);
  const ends = new Ends(from, to, true);
  ends.send();
  deepEqual(ends.receive().slice(1, -1).map(({ hex }) => hex), SEGMENTS);
  from.checkAllFree();
  to.checkAllFree();
});
