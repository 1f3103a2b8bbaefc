import { deepEqual, equal } from "node:assert/strict";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { COUNTER, droppedBy } from "../../app/port/counters.ts";
import { Burst } from "../../app/ring/burst.ts";
import { PlainKernelPort } from "./plain_kernel_port.ts";
import { PortLab } from "./port_lab.ts";

const [EAGAIN, EPERM, EMSGSIZE, ENETDOWN, ENOBUFS] = [11, 1, 90, 100, 105];

/** A port whose kernel refuses frames by their length, as sendmmsg() does. */
class RefusingPort extends PlainKernelPort {
  readonly sent: number[] = [];
  /** What the kernel says of frames of a length: an errno. */
  readonly refused = new Map<number, number>();
  carrier = true;
  carrierLooks = 0;
  protected override send(_: number, burst: Burst, count: number, at: number): number {
    for (let i = 0; i < count; i++) {
      const length = burst.words[2 * (at + i) + 1] >>> 16;
      const errno = this.refused.get(length);
      if (errno) return i || -errno;
      this.sent.push(length);
    }
    return count;
  }
  protected override hasCarrier(): boolean {
    this.carrierLooks++;
    return this.carrier;
  }
}

/** Send frames of these lengths in one burst: how many the port has taken. */
function sendAll(lab: PortLab, port: RefusingPort, lengths: readonly number[]): number {
  const burst = Burst.of(32);
  lab.mempool.allocBulk(burst, lengths.length);
  lengths.forEach((length, i) => burst.words[2 * i + 1] = dataWord(128, length));
  const done = port.txBurst(burst, lengths.length);
  lab.mempool.free(burst, lengths.length - done, done);
  return done;
}

for (
  const [errno, what, counter] of [
    [EMSGSIZE, "one that is too long", COUNTER.TX_TOO_LONG],
    [ENOBUFS, "one that the device has not taken", COUNTER.TX_FULL],
    [EPERM, "one that is refused otherwise", COUNTER.TX_REFUSED],
  ] as const
) {
  Deno.test(`KernelPort.txBurst() drops ${what} by its name, and sends the rest of the burst`, () => {
    using lab = new PortLab(64);
    const port = new RefusingPort(lab);
    port.refused.set(1000, errno);
    equal(sendAll(lab, port, [60, 1000, 61, 1000, 1000, 62]), 6);
    deepEqual(port.sent, [60, 61, 62]);
    equal(lab.counters[counter], 3);
    equal(lab.counters[COUNTER.TX], 3);
    port.close();
    lab.checkAllFree();
  });
}

Deno.test("KernelPort.txBurst() without a carrier says so of each frame, and looks once a turn", () => {
  using lab = new PortLab(64);
  const port = new RefusingPort(lab);
  port.carrier = false;
  port.refused.set(1000, ENOBUFS);
  equal(sendAll(lab, port, [1000, 1000, 60, 1000]), 4);
  deepEqual(port.sent, [60]);
  equal(lab.counters[COUNTER.NO_CARRIER], 3);
  equal(lab.counters[COUNTER.TX_FULL], 0);
  equal(port.carrierLooks, 1);
  port.carrier = true;
  port.refresh();
  equal(sendAll(lab, port, [1000]), 1);
  equal(lab.counters[COUNTER.TX_FULL], 1, "the cable is back, and its queue is full");
  port.close();
  lab.checkAllFree();
});

Deno.test("KernelPort.txBurst() keeps what a full socket or an interface that is down has not taken", () => {
  for (const [errno, isUp] of [[EAGAIN, true], [ENETDOWN, false]] as const) {
    using lab = new PortLab(64);
    const port = new RefusingPort(lab);
    port.refused.set(1000, errno);
    equal(sendAll(lab, port, [60, 1000, 61]), 1);
    equal(port.isUp, isUp);
    equal(droppedBy(lab.counters), 0);
    port.close();
    lab.checkAllFree();
  }
});
