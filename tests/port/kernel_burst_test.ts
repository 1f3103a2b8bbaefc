import { deepEqual, equal, ok } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { Burst } from "../../app/ring/burst.ts";
import { PlainKernelPort } from "./plain_kernel_port.ts";
import { PortLab } from "./port_lab.ts";

const [EAGAIN, EINVAL, EIO] = [11, 22, 5];

/** `RX_NONE` and `TX_REFUSED` in shim/burst.h, and the words of `struct rx_meta`. */
const NO_FRAME = 0xfffffffe, REFUSED = 0x80000000, META_WORDS = 4;

/** A port as a TAP is: frames of a burst are sent and received at once, each for itself. */
class BatchPort extends PlainKernelPort {
  readonly sent: number[] = [];
  /** The errno of frames of 1000 bytes. */
  errno = 0;
  /** Lengths of the frames that come next; 0: none for this slot. */
  waiting: number[] = [];

  /** As shim_tap_tx() does. */
  protected override send(_: number, { words }: Burst, count: number, at: number): number {
    const isRefused = (i: number) => words[2 * (at + i) + 1] >>> 16 === 1000;
    while (count > 0 && isRefused(count - 1)) count--;
    if (count === 0) return -this.errno;
    let errno = 0;
    for (let i = 0; i < count; i++) {
      if (!isRefused(i)) this.sent.push(words[2 * (at + i) + 1] >>> 16);
      else words[2 * (at + i)] |= REFUSED, errno = this.errno;
    }
    return count | errno << 16;
  }

  /** As shim_tap_rx() does. */
  protected override receive(_: number, slots: Burst, word: number, room: number): number {
    const first = word - slots.word;
    for (const [i, length] of this.waiting.entries()) {
      shim.shim_store_release(room, i * META_WORDS, length || NO_FRAME);
      for (let w = 1; w < META_WORDS; w++) shim.shim_store_release(room, i * META_WORDS + w, 0);
      if (length > 0) slots.words[first + 2 * i + 1] = dataWord(128, length);
    }
    return this.waiting.splice(0).length;
  }
}

for (
  const [errno, what, counter, isUp] of [
    [EAGAIN, "is full", COUNTER.TX_FULL, true],
    [EINVAL, "refuses a frame", COUNTER.TX_REFUSED, true],
    [EIO, "goes down", COUNTER.PORT_DOWN, false],
  ] as const
) {
  Deno.test(`KernelPort.txBurst() sends no frame twice, nor late, if a TAP ${what} amid a burst`, () => {
    using lab = new PortLab(64);
    const port = new BatchPort(lab);
    port.errno = errno;
    const lengths = [60, 1000, 61, 1000, 62];
    const burst = Burst.of(8);
    lab.mempool.allocBulk(burst, lengths.length);
    lengths.forEach((length, i) => burst.words[2 * i + 1] = dataWord(128, length));
    equal(port.txBurst(burst, lengths.length), lengths.length);
    deepEqual(port.sent, [60, 61, 62]);
    equal(port.isUp, isUp);
    equal(lab.counters[COUNTER.TX], 3);
    equal(lab.counters[COUNTER.TX_BYTES], 60 + 61 + 62);
    equal(lab.counters[counter], 2);
    const indexes = Array.from(lengths, (_, i) => burst.words[2 * i]);
    ok(indexes.every((index) => index < 64), `marks are gone: ${indexes}`);
    port.close();
    lab.checkAllFree();
  });
}

Deno.test("KernelPort.rxBurst() hands out frames in order where a slot between has none", () => {
  using lab = new PortLab(64);
  const port = new BatchPort(lab);
  const burst = Burst.of(8);
  for (const waiting of [[60, 0, 61, 0, 0, 62], [63, 64]]) {
    port.waiting = [...waiting];
    const frames = waiting.filter((length) => length > 0);
    const n = port.rxBurst(burst, 8);
    deepEqual(Array.from({ length: n }, (_, i) => burst.words[2 * i + 1] >>> 16), frames);
    lab.mempool.free(burst, n);
  }
  equal(lab.counters[COUNTER.RX], 5);
  equal(lab.counters[COUNTER.MISSED], 0);
  port.waiting = [65, 0, 66];
  equal(port.rxBurst(burst, 1), 1);
  lab.mempool.free(burst, 1);
  port.close();
  equal(lab.counters[COUNTER.STOPPED], 1, "a slot without a frame is none that was dropped");
  lab.checkAllFree();
});
