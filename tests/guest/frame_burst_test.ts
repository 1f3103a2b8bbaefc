import { deepEqual, equal, throws } from "node:assert/strict";
import type { FrameBurst } from "../../app/guest/function/frame_burst.ts";
import { GUEST_COUNTER } from "../../app/guest/virtual_port.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { burstOf } from "../kit/burst_of.ts";
import { GuestLab, someFrame } from "./guest_lab.ts";

const FRAMES = Array.from({ length: 5 }, (_, i) => someFrame(60 + i, i));

/** What a function makes of five frames that come by port 0, by port. */
async function sentBy(
  work: (burst: FrameBurst) => void,
  { originates = false, empties = 0 } = {},
): Promise<{ sent: Uint8Array[][]; givenBack: number[]; dropped: number }> {
  using lab = new GuestLab({ ports: 3 });
  const lend = Array.from({ length: empties }, (_, i) => [100 + i, dataWord(128, 0)]);
  if (empties > 0) lab.host[0].lend.enqueueBulk(burstOf(lend.flat()), empties);
  for (const port of [0, 1, 2]) lab.lane(port === 1 ? 0 : 1, port);
  const sent = [[], await lab.through({ default: work, originates }, FRAMES, { to: 1 }), []];
  for (const port of [0, 2]) sent[port] = lab.sent(port) as never;
  return { sent, givenBack: lab.givenBack(), dropped: lab.counters[0][GUEST_COUNTER.RX_DROPPED] };
}

Deno.test("FrameBurst reads and writes numbers as they stand on the wire", async () => {
  await sentBy((burst) => {
    equal(burst.count, 5);
    deepEqual([burst.port, burst.to], [0, 1]);
    const view = new DataView(FRAMES[2].buffer);
    equal(burst.length(2), 62);
    equal(burst.u8(2, 61), FRAMES[2][61]);
    for (const at of [0, 1, 2, 3, 57, 58]) {
      equal(burst.u32(2, at), view.getUint32(at));
      equal(burst.u16(2, at), view.getUint16(at));
    }
    burst.setU32(2, 1, 0xfedcba98);
    burst.setU16(2, 6, 0x1234);
    burst.setU8(2, 9, 0x1ff);
    const { words, bytes } = { words: [...burst.bytes(2).slice(0, 10)], bytes: FRAMES[2] };
    deepEqual(words, [
      ...[bytes[0], 0xfe, 0xdc, 0xba, 0x98, bytes[5]],
      ...[0x12, 0x34, bytes[8], 0xff],
    ]);
    deepEqual(burst.bytes(3), FRAMES[3]);
  });
});

Deno.test("FrameBurst refuses what is outside a frame, and says what it has", async () => {
  await sentBy((burst) => {
    const message = (bytes: string, at: number) =>
      `Cannot use ${bytes} at offset ${at} of frame 0 as it has 60 bytes: look at length(0) before`;
    throws(() => burst.u8(0, 60), { name: "RangeError", message: message("1 byte", 60) });
    throws(() => burst.u16(0, 59), { message: message("2 bytes", 59) });
    throws(() => burst.u32(0, -1), { message: message("4 bytes", -1) });
    throws(() => burst.setU32(0, 57, 1), { message: message("4 bytes", 57) });
    throws(() => burst.sendTo(0, 7), {
      name: "RangeError",
      message: "Cannot send a frame by port 7: the ports are 0, 1, 2",
    });
  });
});

Deno.test("FrameBurst lets frames grow and shrink at both ends, as far as there is room", async () => {
  const { sent } = await sentBy((burst) => {
    equal(burst.prepend(0, 4) && burst.length(0) === 64 && burst.headroom(0) === 124, true);
    burst.setU32(0, 0, 0x01020304);
    equal(burst.append(1, 2) && burst.length(1) === 63, true);
    burst.setU16(1, 61, 0x0506);
    equal(burst.adjust(2, 14) && burst.trim(2, 8), true);
    equal(burst.prepend(3, 129), false);
    equal(burst.append(3, burst.tailroom(3) + 1), false);
    equal(burst.adjust(3, 64) || burst.trim(3, 64) || burst.trim(3, -1), false);
  });
  deepEqual(sent[1], [
    Uint8Array.of(1, 2, 3, 4, ...FRAMES[0]),
    Uint8Array.of(...FRAMES[1], 5, 6),
    FRAMES[2].slice(14, 54),
    FRAMES[3],
    FRAMES[4],
  ]);
});

Deno.test("A frame that is dropped, and dropped again, is given back once, and counted once", async () => {
  const { sent, givenBack, dropped } = await sentBy((burst) => {
    for (const i of [1, 3, 1]) burst.drop(i);
    deepEqual([0, 1, 2, 3, 4].map((i) => burst.isDropped(i)), [false, true, false, true, false]);
  });
  deepEqual(sent[1], [FRAMES[0], FRAMES[2], FRAMES[4]]);
  deepEqual(givenBack, [1, 3]);
  equal(dropped, 2);
});

Deno.test("sendTo() sends a frame by another port; the last word about a frame counts", async () => {
  const { sent, givenBack } = await sentBy((burst) => {
    burst.sendTo(0, 2);
    burst.sendTo(1, 0);
    burst.drop(2);
    burst.sendTo(2, 2);
    burst.sendTo(3, 2);
    burst.drop(3);
    burst.sendTo(4, 1);
  });
  deepEqual(sent, [[FRAMES[1]], [FRAMES[4]], [FRAMES[0], FRAMES[2]]]);
  deepEqual(givenBack, [3]);
});

Deno.test("copyTo() sends a copy too, and says so if there is no mbuf for one", async () => {
  const { sent, givenBack } = await sentBy((burst) => {
    equal(burst.copyTo(0, 2), true);
    equal(burst.copyTo(4, 0), true);
    equal(burst.copyTo(1, 2), false);
    equal(burst.count, 7);
  }, { originates: true, empties: 2 });
  deepEqual(sent, [[FRAMES[4]], FRAMES, [FRAMES[0]]]);
  deepEqual(givenBack, []);
});

Deno.test("add() makes an empty frame, to be filled and sent", async () => {
  const { sent } = await sentBy((burst) => {
    for (let n = 0; n < 3; n++) {
      const i = burst.add(2);
      equal(i, n < 2 ? 5 + n : -1);
      if (i < 0) return;
      equal(burst.length(i), 0);
      burst.append(i, 60);
      burst.bytes(i).set(FRAMES[n].subarray(0, 60));
    }
  }, { originates: true, empties: 2 });
  deepEqual(sent[2], FRAMES.slice(0, 2).map((frame) => frame.slice(0, 60)));
  equal(sent[1].length, 5);
});

Deno.test("A frame that the burst has not cannot be used, also not one of the burst before", async () => {
  using lab = new GuestLab();
  const lane = lab.lane();
  const uses: ((burst: FrameBurst, i: number) => unknown)[] = [
    (burst, i) => burst.drop(i),
    (burst, i) => burst.sendTo(i, 0),
    (burst, i) => burst.copyTo(i, 0),
    (burst, i) => burst.append(i, 4),
    (burst, i) => burst.u8(i, 0),
    (burst, i) => burst.setU16(i, 0, 1),
  ];
  const refused: number[] = [];
  const chain = await lab.chain({
    default(burst) {
      for (const use of uses) {
        for (const i of [burst.count, 30, 1000]) {
          throws(() => use(burst, i), { name: "RangeError", message: /^Cannot use frame \d+ as/ });
        }
      }
      refused.push(burst.count);
    },
  });
  for (const count of [20, 3]) {
    lab.lend(FRAMES.concat(FRAMES, FRAMES, FRAMES).slice(0, count));
    lane.turn(chain);
  }
  deepEqual(refused, [20, 3]);
  for (const output of lab.outputs) output?.flush();
  equal(lab.sent().length, 23);
});
