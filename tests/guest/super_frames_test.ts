/**
 * Super-frames in a guest.
 *
 * @module
 */
import { deepEqual, equal } from "node:assert/strict";
import type { FrameBurst } from "../../app/guest/function/frame_burst.ts";
import { GUEST_COUNTER } from "../../app/guest/virtual_port.ts";
import { DESCRIPTOR_FLAG } from "../../app/memory/layout.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { wordOf } from "../../app/port/offload_header.ts";
import { burstOf } from "../kit/burst_of.ts";
import { GuestLab } from "./guest_lab.ts";

const { SUPER } = DESCRIPTOR_FLAG;
const LONG = 256; // behind the lab's other mbufs
const BYTES = 60_000, ROOM = 28 * 2368;
const HEADER = [66 << 16 | 0x0101, 34 << 16 | 1448, 16] as const;

/** The descriptors that are sent when a function got a super-frame between two plain frames. */
async function sentBy(
  lab: GuestLab,
  work: (burst: FrameBurst) => void,
  module: { offloads?: boolean; originates?: boolean } = { offloads: true },
): Promise<number[]> {
  const { mbufs, host } = lab;
  mbufs.u32.set(HEADER, wordOf(mbufs, LONG));
  const plain = dataWord(128, 60);
  const lent = [1, plain, (LONG | SUPER) >>> 0, dataWord(128, BYTES), 2, plain];
  equal(host[0].rx.enqueueBulk(burstOf(lent), 3), 3);
  lab.lane(0, 1).turn(await lab.chain({ default: work, ...module }));
  for (const output of lab.outputs) output?.flush();
  const burst = burstOf(new Array(16).fill(0));
  return [...burst.words.subarray(0, 2 * host[1].tx.dequeueBurst(burst, 8))];
}

const header = ({ mbufs }: GuestLab) => [...mbufs.u32.subarray(wordOf(mbufs, LONG)).slice(0, 3)];

Deno.test("a function that takes super-frames gets them, tells them apart, and sends them on", async () => {
  using lab = new GuestLab({ ports: 2 });
  equal(lab.mbufs.count, LONG);
  const sent = await sentBy(lab, (burst) => {
    deepEqual([0, 1, 2].map((i) => burst.isSuperFrame(i)), [false, true, false]);
    deepEqual([burst.length(1), burst.headroom(1)], [BYTES, 128]);
    equal(burst.tailroom(1), ROOM - 128 - BYTES);
    equal(burst.tailroom(0), 2368 - 128 - 60);
    burst.setU8(1, BYTES - 1, 0x5a);
  });
  deepEqual(sent.slice(2, 4), [(LONG | SUPER) >>> 0, dataWord(128, BYTES)]);
  equal(lab.mbufs.u8[lab.mbufs.frameByte(LONG, 128) + BYTES - 1], 0x5a);
  deepEqual(header(lab), HEADER);
});

Deno.test("a function that says nothing of offloads never sees a super-frame", async () => {
  using lab = new GuestLab({ ports: 2 });
  const sent = await sentBy(lab, (burst) => equal(burst.count, 2), {});
  deepEqual(sent.filter((_, i) => i % 2 === 0), [1, 2]);
  deepEqual(lab.givenBack(), [(LONG | SUPER) >>> 0]);
  equal(lab.counters[0][GUEST_COUNTER.RX_DROPPED], 1);
});

Deno.test("the offload header follows a super-frame that grows or shrinks in front", async () => {
  using lab = new GuestLab({ ports: 2 });
  const sent = await sentBy(lab, (burst) => {
    equal(burst.prepend(1, 8), true);
    equal(burst.adjust(1, 4), true);
    equal(burst.prepend(0, 8), true);
  });
  deepEqual(sent[3], dataWord(124, BYTES + 4));
  deepEqual(header(lab), [70 << 16 | 0x0101, 38 << 16 | 1448, 16]);
});

Deno.test("FrameBurst.copyTo() makes no copy of a super-frame: what is lent empty is short", async () => {
  using lab = new GuestLab({ ports: 2 });
  lab.host[0].lend.enqueueBulk(burstOf([100, dataWord(128, 0), 101, dataWord(128, 0)]), 2);
  const copies: boolean[] = [];
  const sent = await sentBy(lab, (burst) => {
    copies.push(burst.copyTo(0, 1), burst.copyTo(1, 1));
  }, { offloads: true, originates: true });
  deepEqual(copies, [true, false]);
  equal(sent.length / 2, 4);
});

Deno.test("l2fwd, mac, macswap and io pass super-frames, others that come with culvert do not", async () => {
  for (const name of ["l2fwd", "mac", "macswap", "io"]) {
    using lab = new GuestLab({ ports: 2 });
    equal((await lab.chain(name)).offloads, true, name);
  }
  for (const name of ["icmpecho", "rxonly", "txonly"]) {
    using lab = new GuestLab({ ports: 2 });
    equal((await lab.chain(name)).offloads, false, name);
  }
});
