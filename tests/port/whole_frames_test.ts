/**
 * Super-frames through a port whose other side is the kernel: a socket stands in for that.
 *
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { DESCRIPTOR } from "../../app/memory/layout.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { fileTest } from "../ffi/folder.ts";
import { frameOf, metadataOf, type Packet, PLAIN, segmentsOf, UDP } from "./packets.ts";
import { LONG, SocketBench, TOTAL } from "./socket_bench.ts";

const EAGAIN = 11, EINVAL = 22, EMSGSIZE = 90;
const { RX, TX, TX_BYTES, OFFLOAD, OVERSIZE, TX_FULL, TX_REFUSED, TX_TOO_LONG, TUNNEL } = COUNTER;

const payload = (bytes: number) => Uint8Array.from({ length: bytes }, (_, i) => i * 31 + (i >> 7));
const LARGE: Packet = { ...PLAIN, payload: payload(60_000) };
const hex = (bytes: Uint8Array) => bytes.toHex();

for (
  const [what, packet] of Object.entries<Packet>({
    "TCP over IPv4": LARGE,
    "TCP over IPv6": { ...LARGE, version: 6 },
    "UDP over IPv4": { ...LARGE, protocol: UDP },
    "tagged TCP": { ...LARGE, tags: [0x8100002a] },
    "TCP with extension headers": {
      ...LARGE,
      version: 6,
      options: Uint8Array.of(0, 0, 1, 4, 0, 0, 0, 0),
    },
    "TCP of two small segments": { ...PLAIN, payload: payload(1900) },
    "TCP of the greatest length": { ...PLAIN, payload: payload(65_535 - 66) },
  })
) {
  fileTest(`KernelPort passes ${what} whole, byte for byte, both ways`, () => {
    using bench = new SocketBench();
    const { port, burst, lab } = bench;
    const size = what.includes("small") ? 1000 : 1400;
    const frame = frameOf(packet, false);
    bench.receiveWhole(packet, size);
    equal(hex(bench.bytes()), hex(frame));
    const index = burst.words[0] & DESCRIPTOR.INDEX_MASK;
    equal(index >= TOTAL, frame.length > 2240, "in a long mbuf if need be");
    equal(lab.counters[RX], 1);
    const { offload, checksum } = metadataOf(packet, size);
    const header = bench.header();
    equal(header[0] & 0xffff, offload & 0xffff);
    equal((header[1] & 0xffff) << 16 >>> 0, (offload & 0xffff0000) >>> 0);
    equal((header[1] >>> 16 | header[2] << 16) >>> 0, checksum);
    equal(port.txBurst(burst, 1), 1);
    const [sent] = port.sent;
    equal(hex(sent.bytes), hex(frame), "with the partial checksum that it had");
    const view = new DataView(sent.header!.buffer);
    equal(view.getUint16(0, true), offload & 0xffff);
    equal(view.getUint16(2, true), frame.length - packet.payload.length, "the headers' length");
    equal(view.getUint16(4, true), size);
    deepEqual([view.getUint16(6, true), view.getUint16(8, true)], [
      checksum & 0xffff,
      checksum >>> 16,
    ]);
    deepEqual([lab.counters[TX], lab.counters[TX_BYTES]], [1, frame.length]);
  });
}

fileTest("KernelPort cuts a super-frame on reception for who does not take it", () => {
  using bench = new SocketBench();
  const { port, burst } = bench;
  port.passesWhole = false;
  bench.arrive(frameOf(LARGE, false), metadataOf(LARGE, 1448));
  const wanted = segmentsOf(LARGE, 1448);
  for (let done = 0; done < wanted.length;) {
    const n = port.rxBurst(burst, 20);
    ok(n > 0);
    for (let i = 0; i < n; i++) equal(hex(bench.bytes(i)), hex(wanted[done++]));
    equal(port.txBurst(burst, n), n);
  }
  ok(port.sent.every(({ header }) => header === undefined), "as plain frames");
});

for (
  const [what, packet, long] of [
    ["there are no long mbufs", LARGE, 0],
    ["it is longer than a descriptor can say", { ...PLAIN, payload: payload(65_535 - 65) }, LONG],
    ["it is BIG TCP", { ...PLAIN, payload: payload(150_000) }, LONG],
    ["it is UDP of more segments than the kernel takes", {
      ...PLAIN,
      protocol: UDP,
      payload: payload(129 * 400),
    }, LONG],
  ] as const
) {
  fileTest(`KernelPort cuts a super-frame if ${what}`, () => {
    using bench = new SocketBench(long);
    const { port, burst } = bench;
    const size = what.includes("UDP") ? 400 : 1448;
    const wanted = segmentsOf(packet, size);
    bench.arrive(frameOf(packet, false), metadataOf(packet, size));
    for (let done = 0; done < wanted.length;) {
      const n = port.rxBurst(burst, 20);
      ok(n > 0);
      for (let i = 0; i < n; i++) equal(hex(bench.bytes(i)), hex(wanted[done++]));
      bench.lab.mempool.free(burst, n);
    }
  });
}

fileTest(
  "KernelPort receives super-frames whole one after another, with small ones between",
  () => {
    using bench = new SocketBench();
    const { port, burst, lab } = bench;
    const small = frameOf({ ...PLAIN, payload: payload(10) }, true);
    const plain = { offload: 0, checksum: 0 };
    for (let round = 0; round < 50; round++) {
      if (round % 3 === 0) {
        bench.arrive(small, plain);
        equal(port.rxBurst(burst, 32), 1);
        equal(hex(bench.bytes()), hex(small));
      } else bench.receiveWhole(LARGE, 1448);
      lab.mempool.free(burst, 1);
    }
    equal(lab.counters[RX], 50);
  },
);

fileTest("KernelPort hands out what it has received though its interface is down now", () => {
  using bench = new SocketBench();
  const { port, burst, lab } = bench;
  port.passesWhole = false;
  bench.arrive(frameOf(LARGE, false), metadataOf(LARGE, 1448));
  equal(port.rxBurst(burst, 1), 1);
  port.isUp = false;
  equal(port.rxBurst(burst, 41, 1), 41, "the other segments");
  bench.arrive(frameOf(LARGE, false), metadataOf(LARGE, 1448));
  equal(port.rxBurst(burst, 1, 42), 0, "and nothing more");
  lab.mempool.free(burst, 42);
});

fileTest("KernelPort.letGo() frees long mbufs that wait, and goes on", () => {
  using bench = new SocketBench();
  bench.receiveWhole(LARGE, 1448);
  bench.lab.mempool.free(bench.burst, 1);
  bench.port.letGo();
  bench.lab.checkAllFree();
  bench.receiveWhole(LARGE, 1448);
  bench.lab.mempool.free(bench.burst, 1);
});

fileTest(
  "KernelPort cuts what the sending interface's MTU is too small for, and counts it once",
  () => {
    using bench = new SocketBench();
    const { port, burst, lab } = bench;
    bench.receiveWhole(LARGE, 1448);
    port.mtuBytes = 1499;
    equal(port.txBurst(burst, 1), 1);
    deepEqual(port.sent.map(({ bytes }) => hex(bytes)), segmentsOf(LARGE, 1448).map(hex));
    deepEqual([lab.counters[TX], lab.counters[TX_BYTES]], [1, 60_066]);
  },
);

for (
  const [what, errno, counter] of [
    ["too long", EMSGSIZE, TX_TOO_LONG],
    ["refused", EINVAL, TX_REFUSED],
    ["one too many", EAGAIN, TX_FULL],
  ] as const
) {
  fileTest(`KernelPort counts a super-frame as dropped if a segment is ${what}`, () => {
    using bench = new SocketBench();
    const { port, burst, lab } = bench;
    bench.receiveWhole(LARGE, 1448);
    port.mtuBytes = 1499;
    port.results = [0, 0, errno];
    equal(port.txBurst(burst, 1), 1);
    deepEqual([lab.counters[TX], lab.counters[counter]], [0, 1]);
  });
}

fileTest("KernelPort keeps the order of plain and super-frames, and what was not taken", () => {
  using bench = new SocketBench();
  const { port, burst, lab } = bench;
  const small = frameOf({ ...PLAIN, payload: payload(10) }, true);
  for (let i = 0; i < 5; i++) {
    const frame = i % 2 === 0 ? frameOf(LARGE, false) : small;
    bench.arrive(frame, i % 2 === 0 ? metadataOf(LARGE, 1448) : { offload: 0, checksum: 0 });
    equal(port.rxBurst(burst, 1, i), 1);
  }
  port.results = [0, 0, 0, EAGAIN];
  equal(port.txBurst(burst, 5), 3);
  deepEqual(port.sent.map(({ bytes }) => bytes.length), [60_066, 76, 60_066]);
  deepEqual(hex(port.sent[1].header!), "00".repeat(10));
  equal(port.txBurst(burst, 2, 3), 2);
  port.sent.length = 0;
  bench.arrive(small, { offload: 0, checksum: 0 });
  equal(port.rxBurst(burst, 1), 1);
  equal(port.txBurst(burst, 1), 1);
  // The same way as the super-frames, which it must not pass, but not behind the header of one.
  equal(hex(port.sent[0].header!), "00".repeat(10));
  port.refresh();
  port.refresh();
  bench.arrive(small, { offload: 0, checksum: 0 });
  equal(port.rxBurst(burst, 1), 1);
  equal(port.txBurst(burst, 1), 1);
  equal(port.sent[1].header, undefined, "the quick way again, some time later");
  equal(lab.counters[TX], 7);
});

/** What a guest may write into the header of a super-frame, or its packet. */
const LIES: Record<string, (bench: SocketBench) => void> = {
  "no type": (bench) => bench.header()[0] = 1,
  "an unknown type": (bench) => bench.header()[0] = 0x0301,
  "another packet's type": (bench) => bench.header()[0] = 0x0401,
  "segments of 0 bytes": (bench) => bench.header()[1] &= 0xffff0000,
  "segments of 1 byte": (bench) => bench.header()[1] = bench.header()[1] & ~0xffff | 1,
  "760 segments": (bench) => bench.header()[1] = bench.header()[1] & ~0xffff | 79,
  "segments of 65535 bytes": (bench) => bench.header()[1] |= 0xffff,
  "segments longer than the frame limit": (bench) =>
    bench.header()[1] = bench.header()[1] & ~0xffff | 1457,
  "segments longer than an mbuf": (bench) => bench.header()[1] = bench.header()[1] & ~0xffff | 2239,
  "a checksum that starts elsewhere": (bench) => bench.header()[1] += 2 << 16,
  "a checksum that starts outside": (bench) => bench.header()[1] |= 0xffff0000,
  "a checksum at another place": (bench) => bench.header()[2] = 6,
  "another length than its packet": (bench) => bench.burst.words[1] -= 1 << 16,
  "no IP packet": (bench) => bench.lab.mbufs.u8.fill(0xff, ...range(bench, 14, 34)),
  "headers longer than the frame": (bench) => bench.burst.words[1] = 40 << 16 | 128,
};

function range({ burst, lab }: SocketBench, from: number, to: number): [number, number] {
  const byte = lab.mbufs.frameByte(burst.words[0], burst.words[1]);
  return [byte + from, byte + to];
}

for (const [what, lie] of Object.entries(LIES)) {
  fileTest(`KernelPort drops a super-frame with ${what}, and sends the next`, () => {
    using bench = new SocketBench();
    const { port, burst, lab } = bench;
    bench.receiveWhole(LARGE, 1448);
    lie(bench);
    bench.arrive(frameOf(LARGE, false), metadataOf(LARGE, 1448));
    equal(port.rxBurst(burst, 1, 1), 1);
    equal(port.txBurst(burst, 2), 2);
    const dropped = lab.counters[OFFLOAD] + lab.counters[TUNNEL] + lab.counters[OVERSIZE];
    deepEqual([lab.counters[TX], dropped, port.sent.length], [1, 1, 1]);
  });
}

fileTest("KernelPort cuts no more than 2048 segments of a burst: others wait meanwhile", () => {
  using bench = new SocketBench();
  bench.port.mtuBytes = 60;
  const { port, burst, lab } = bench;
  for (let i = 0; i < 4; i++) {
    bench.arrive(frameOf(LARGE, false), metadataOf(LARGE, 88));
    equal(port.rxBurst(burst, 1, i), 1);
  }
  equal(port.txBurst(burst, 4), 4);
  deepEqual([lab.counters[TX], lab.counters[TX_FULL]], [3, 1]);
});

fileTest("KernelPort passes a super-frame of 750 segments whole", () => {
  using bench = new SocketBench();
  bench.receiveWhole(LARGE, 80);
  equal(bench.port.txBurst(bench.burst, 1), 1);
  deepEqual([bench.lab.counters[TX], bench.port.sent.length], [1, 1]);
});

fileTest("KernelPort shows the kernel what it has checked, and mends what a guest wrote", () => {
  using bench = new SocketBench();
  const { port, burst } = bench;
  bench.receiveWhole(LARGE, 1448);
  bench.header()[0] |= 0xffff0000; // the headers' length
  bench.header()[2] |= 0xffff0000; // behind its ten bytes
  const [at] = range(bench, 50, 52);
  bench.lab.mbufs.u8.fill(0xee, at, at + 2); // the partial checksum
  equal(port.txBurst(burst, 1), 1);
  equal(hex(port.sent[0].bytes), hex(frameOf(LARGE, false)));
  equal(new DataView(port.sent[0].header!.buffer).getUint16(2, true), 66);
});

fileTest("KernelPort drops a super-frame whose segments are longer than the frame limit", () => {
  using bench = new SocketBench();
  bench.arrive(frameOf(LARGE, false), metadataOf(LARGE, 2000));
  equal(bench.port.rxBurst(bench.burst, 32), 0);
  equal(bench.lab.counters[OVERSIZE], 30);
});
