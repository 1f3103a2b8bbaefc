import { deepEqual, equal, match } from "node:assert/strict";
import { decodeRegion, withLives } from "../../app/inspect/decode.ts";
import { reportText } from "../../app/inspect/report_text.ts";
import { COUNTERS_BYTES, FunctionCounters } from "../../app/channel/function_counters.ts";
import { alignColumns, bar, bytesText } from "../../app/inspect/table.ts";
import { printable } from "../../app/linux/printable.ts";
import { CHANNEL, HEADER, LAYOUT_HASH, LAYOUT_VERSION, RING } from "../../app/memory/layout.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { SampleRegion } from "./sample_region.ts";
import { Burst } from "../../app/ring/burst.ts";

const HASH = LAYOUT_HASH.toString(16).padStart(8, "0");

Deno.test("reportText() draws a region", () => {
  using sample = new SampleRegion();
  sample.guest.claim({ pid: 4711, wantsMbufs: false, peer: 2 });
  const counters = new FunctionCounters(new SharedArrayBuffer(COUNTERS_BYTES));
  counters.counter("SYNs").add(12);
  counters.counter("dropped by rule").add(3);
  sample.guest.showCounters([counters.buffer]);
  sample.memory.u32[sample.word("g0.p0") + CHANNEL.HEADROOM] = 128;
  sample.memory.u32[sample.word("g0.p0") + CHANNEL.GUEST_SLEEP] = 1;
  sample.channel.rx.enqueueBulk(Burst.of(16), 16);
  sample.memory.u32[sample.word("g0.p0.tx") + RING.PRODUCER] = 1000;
  sample.count(COUNTER.RX, 1234567);
  sample.count(COUNTER.TX, 7);
  sample.count(COUNTER.RING_FULL, 30);
  sample.count(COUNTER.NOTIFIED, 4);
  sample.shared.pool.allocBulk(Burst.of(5), 5);
  const before = decodeRegion(sample.memory);
  sample.region.beat();
  const report = withLives(before, decodeRegion(sample.memory));
  const [text, zones] = reportText("/dev/shm/r0", report).split(/\n\n(?=\d+ memzones)/);
  const { offset, size } = sample.zone("mbufs");
  const end = offset + size;
  equal(
    text,
    `\
region at /dev/shm/r0, 1 MiB
  layout  version ${LAYOUT_VERSION}, hash ${HASH}, as this build has it
  host    READY, alive, epoch 1, heartbeat 1
  mbufs   [######..................] 25 of 100 in use, 2368 bytes each

guests
  g0  ATTACHING, silent: its heartbeat stands still  1 channel  incarnation 0  own pid 4711  peer 2
      counted SYNs             12
      counted dropped by rule   3

channels
  g0.p0  port tap0, 52:54:00:12:34:56, frames to 1522 bytes behind 128 of headroom
      lcores: host awake, slept 0x, woken by nobody; guest asleep, slept 1x, woken by nobody
      rx          [######..................]  16  of 64  producer    16  consumer  0
      tx          [########################]  64  of 64  producer  1000  consumer  0  ! the producer is 1000 slots ahead of the consumer, in a ring of 64
      lend        [........................]   0  of 64  producer     0  consumer  0
      giveback    [........................]   0  of 64  producer     0  consumer  0
      port: received 1234567, sent 7, dropped 30; doorbells rung 4
        dropped 30: guest too slow, its rx ring full

other rings
  work  MP/MC  [........................]  0  of 16  producer  0  consumer  0

mempools
  shared  [######..................]  5  of 20 in use or in caches  448 bytes each`,
  );
  deepEqual(zones.split("\n").map((line) => line.replaceAll(/ +/g, " ")).slice(0, 4), [
    `10 memzones, ${bytesText(end)} of 1 MiB given out ${bar(end, 1 << 20)}`,
    " name kind offset bytes",
    " g0 GUEST 16384 1408 channels 1",
    ` g0.p0 CHANNEL 17792 ${CHANNEL.BYTES}`,
  ]);
  match(zones, /^ {2}work +MPMC +\d+ +320 +slots 16$/m);
  match(zones, /^ {2}mbufs +MBUFS +\d+ +236800 +stride 2368$/m);
});

Deno.test("reportText() marks an lcore that does not come round its loop while its side forwards", () => {
  using sample = new SampleRegion();
  sample.count(COUNTER.ROUNDS, 7);
  sample.channel.tellRounds(3);
  const report = decodeRegion(sample.memory);
  const lcoresIn = (state: string) => {
    const guests = report.guests.map((guest) => ({ ...guest, state }));
    return /lcores: (.*)/.exec(reportText("r", withLives(report, { ...report, guests })))![1];
  };
  const stalled = "! does not come round its loop, ";
  equal(
    lcoresIn("RUNNING"),
    `host ${stalled}awake, slept 0x, woken by nobody; guest ${stalled}awake, slept 0x, woken by ` +
      "nobody",
  );
  match(lcoresIn("ATTACHING"), /; guest awake,/);
});

Deno.test("reportText() says little of what it cannot decode, and calls it by its name", () => {
  using sample = new SampleRegion();
  sample.memory.store(HEADER.VERSION, 1);
  equal(
    reportText("r0", decodeRegion(sample.memory)),
    `\
region at r0, 1 MiB
  ! of layout version 1, this build reads ${LAYOUT_VERSION}: use the build that made it
  layout  version 1, hash ${HASH}, not this build's`,
  );
});

Deno.test("reportText() lets no name out that would steer a terminal", () => {
  using sample = new SampleRegion();
  const { offset } = sample.zone("g0.p0");
  sample.memory.u8.set(new TextEncoder().encode("\x1b[2Jt\x9bp\u202e"), offset);
  match(reportText("r0", decodeRegion(sample.memory)), /port \?\[2Jt\?+p\?, /);
});

Deno.test("printable() keeps what can be printed", () => {
  equal(printable("eth0 größe 漢字"), "eth0 größe 漢字");
  equal(printable("a\nb\tc\x7f"), "a?b?c?");
});

Deno.test("alignColumns() puts text left and numbers right, and ends no line in spaces", () => {
  const lines = alignColumns([["a", "1", ""], ["long", "1000", "x"], ["b"]], [
    "left",
    "right",
    "left",
  ]);
  deepEqual(lines, ["a        1", "long  1000  x", "b"]);
});

Deno.test("bar() shows a share, and anything at all as one mark at least", () => {
  equal(bar(0, 100, 10), "[..........]");
  equal(bar(1, 100, 10), "[#.........]");
  equal(bar(55, 100, 10), "[#####.....]");
  equal(bar(100, 100, 10), "[##########]");
  equal(bar(1000, 100, 10), "[##########]");
  equal(bar(5, 0, 10), "[#.........]");
});

Deno.test("bytesText() is short", () => {
  deepEqual([0, 384, 1024, 8448, 64 << 20, 2 ** 32].map(bytesText), [
    "0 B",
    "384 B",
    "1 KiB",
    "8.3 KiB",
    "64 MiB",
    "4 GiB",
  ]);
});

Deno.test("reportText() says which guest holds mbufs, and how many", () => {
  using sample = new SampleRegion();
  sample.guest.claim({ pid: 4711, wantsMbufs: false, peer: 2 });
  equal(/holds \d+ mbufs/.test(reportText("r0", decodeRegion(sample.memory))), false);
  sample.guest.outstanding = 61;
  match(reportText("r0", decodeRegion(sample.memory)), /^ {2}g0 .* peer 2 +holds 61 mbufs$/m);
});
