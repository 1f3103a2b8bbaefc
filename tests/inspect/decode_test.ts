import { deepEqual, equal, ok } from "node:assert/strict";
import { COUNTERS_BYTES, FunctionCounters } from "../../app/channel/function_counters.ts";
import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { decodeRegion } from "../../app/inspect/decode.ts";
import {
  BUSY_LCORES,
  CHANNEL,
  GUEST,
  LAYOUT_VERSION,
  MPMC,
  RING,
  SLEEP,
} from "../../app/memory/layout.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { RING_SIZE, SampleRegion } from "./sample_region.ts";
import { Burst } from "../../app/ring/burst.ts";

Deno.test("decodeRegion() names all that a sound region has, and finds nothing wrong with it", () => {
  using sample = new SampleRegion();
  const report = decodeRegion(sample.memory);
  deepEqual(report.problems, []);
  equal(report.isRegion, true);
  equal(report.isOurLayout, true);
  equal(report.version, LAYOUT_VERSION);
  deepEqual(report.host, {
    state: "READY",
    epoch: 1,
    heartbeat: 0,
    isAlive: null,
    peer: null,
    bytes: 1 << 20,
    mbufsFree: 75,
  });
  deepEqual(report.zones.map(({ name, kind, problem }) => [name, kind, problem]), [
    ["g0", "GUEST", null],
    ["g0.p0", "CHANNEL", null],
    ["g0.p0.rx", "RING", null],
    ["g0.p0.tx", "RING", null],
    ["g0.p0.lend", "RING", null],
    ["g0.p0.giveback", "RING", null],
    ["work", "MPMC", null],
    ["shared", "MEMPOOL", null],
    ["notes", "RAW", null],
    ["mbufs", "MBUFS", null],
  ]);
  deepEqual(report.rings.map(({ name }) => name), [
    ...["rx", "tx", "lend", "giveback"].map((ring) => `g0.p0.${ring}`),
    "work",
  ]);
  deepEqual(report.mbufs, [{ name: "mbufs", count: 100, long: 0, stride: 2368 }]);
});

Deno.test("decodeRegion() tells the fill of rings, also where positions have wrapped", () => {
  using sample = new SampleRegion();
  sample.channel.rx.enqueueBulk(Burst.of(40), 40);
  sample.channel.rx.dequeueBulk(Burst.of(40), 10);
  const tx = sample.word("g0.p0.tx");
  sample.memory.u32[tx + RING.PRODUCER] = 5;
  sample.memory.u32[tx + RING.CONSUMER] = 0xfffffff0;
  sample.work.enqueueBulk(Burst.of(16, 4), 16);
  const rings = new Map(decodeRegion(sample.memory).rings.map((ring) => [ring.name, ring]));
  const spsc = { kind: "spsc", slots: RING_SIZE, problem: null };
  deepEqual(rings.get("g0.p0.rx"), {
    name: "g0.p0.rx",
    ...spsc,
    producer: 40,
    consumer: 10,
    used: 30,
  });
  deepEqual(rings.get("g0.p0.tx"), {
    name: "g0.p0.tx",
    ...spsc,
    producer: 5,
    consumer: 0xfffffff0,
    used: 21,
  });
  deepEqual(rings.get("work"), {
    name: "work",
    kind: "mpmc",
    slots: 16,
    producer: 16,
    consumer: 0,
    used: 16,
    problem: null,
  });
});

Deno.test("decodeRegion() flags positions that cannot be", () => {
  using sample = new SampleRegion();
  const [rx, work] = [sample.word("g0.p0.rx"), sample.word("work")];
  sample.memory.u32[rx + RING.PRODUCER] = 100;
  sample.memory.u32[rx + RING.CONSUMER] = 100 - RING_SIZE - 1;
  sample.memory.u32[work + MPMC.PRODUCER_HEAD] = 3;
  sample.memory.u32[work + MPMC.PRODUCER_TAIL] = 4;
  const problems = decodeRegion(sample.memory).rings.filter((ring) => ring.problem !== null);
  deepEqual(problems.map(({ name, used, problem }) => [name, used, problem]), [
    ["g0.p0.rx", RING_SIZE, "the producer is 65 slots ahead of the consumer, in a ring of 64"],
    ["work", 4, "4 elements are there, but only 3 were claimed"],
  ]);
});

Deno.test("decodeRegion() decodes a channel: its port, its lcores' sleep, what was counted", () => {
  using sample = new SampleRegion();
  const word = sample.word("g0.p0");
  sample.memory.u32[word + CHANNEL.HEADROOM] = 128;
  sample.memory.u32[word + CHANNEL.HOST_SLEEP + SLEEP.COUNT] = 6;
  sample.memory.u32[word + CHANNEL.HOST_SLEEP + SLEEP.VECTOR] = 1;
  sample.memory.u32[word + CHANNEL.GUEST_SLEEP + SLEEP.COUNT] = 7;
  sample.count(COUNTER.RX, 2 ** 40);
  sample.count(COUNTER.RX_BYTES, 2 ** 46);
  sample.count(COUNTER.RING_FULL, NaN);
  const [channel] = decodeRegion(sample.memory).channels;
  const { counters, ...rest } = channel;
  deepEqual(rest, {
    name: "g0.p0",
    portName: "tap0",
    mac: "52:54:00:12:34:56",
    frameMax: 1522,
    headroom: 128,
    hostSleep: { isTurning: null, rounds: 0, isAsleep: false, sleeps: 3, vector: 0 },
    guestSleep: { isTurning: null, rounds: 0, isAsleep: true, sleeps: 4, vector: null },
  });
  equal(counters.rx, 2 ** 40);
  equal(counters.rxBytes, 2 ** 46);
  equal(counters.ringFull, null, "not a number");
  equal(counters.tx, 0);
  equal(Object.keys(counters).length, Object.keys(COUNTER).length - 1);
});

Deno.test("decodeRegion() decodes a guest", () => {
  using sample = new SampleRegion();
  sample.guest.claim({ pid: 4711, wantsMbufs: true, peer: 9 });
  sample.guest.retire();
  sample.guest.beat();
  sample.guest.outstanding = 7;
  sample.guest.askToLeave(true);
  deepEqual(decodeRegion(sample.memory).guests, [{
    name: "g0",
    state: "ATTACHING",
    heartbeat: 1,
    isAlive: null,
    pid: 4711,
    peer: 9,
    incarnation: 1,
    wantsMbufs: true,
    outstanding: 7,
    isAskedToLeave: true,
    busy: [],
    channels: 1,
    counted: {},
  }]);
});

Deno.test("decodeRegion() tells how busy a running guest says its lcores are, as far as that can be", () => {
  using sample = new SampleRegion();
  sample.guest.claim({ pid: 4711, wantsMbufs: false });
  const told = (...words: number[]) => {
    sample.guest.clearBusy();
    sample.memory.u32.set(words, sample.word("g0") + GUEST.BUSY);
    return decodeRegion(sample.memory).guests[0].busy;
  };
  deepEqual(told(1, 501), []);
  sample.guest.move("host", GUEST_STATE.ATTACHING, GUEST_STATE.RUNNING, sample.guest.word);
  deepEqual(told(1, 501, 1001), [0, 0.5, 1]);
  deepEqual(told(11, 1002, 5), [0.01], "no share is more than the whole");
  deepEqual(told(11, 0, 5), [0.01]);
  deepEqual(told(...Array(BUSY_LCORES).fill(1001)), Array(BUSY_LCORES).fill(1));
});

Deno.test("decodeRegion() tells what a guest's functions count, all lcores together", () => {
  using sample = new SampleRegion();
  const lcore = new FunctionCounters(new SharedArrayBuffer(COUNTERS_BYTES));
  lcore.counter("SYNs").add(7);
  lcore.counter("größe").add(1e15);
  sample.guest.showCounters([lcore.buffer]);
  deepEqual(decodeRegion(sample.memory).guests[0].counted, { SYNs: 7, größe: 1e15 });
});

Deno.test("decodeRegion() believes no counter that is no number or has no name", () => {
  using sample = new SampleRegion();
  const { u8 } = sample.memory;
  const first = sample.zone("g0").offset + GUEST.COUNTERS * 4;
  const write = (slot: number, value: number, name: number[]) => {
    new DataView(u8.buffer).setFloat64(u8.byteOffset + first + slot * 64, value, true);
    u8.set(name, first + slot * 64 + 8);
  };
  write(0, NaN, [...new TextEncoder().encode("nan")]);
  write(1, Infinity, [...new TextEncoder().encode("endless")]);
  write(2, 3, [0x61, 0xff, 0x62]);
  write(3, 4, []);
  write(4, 5, [...new TextEncoder().encode("__proto__")]);
  write(5, 6, Array(56).fill(0x62));
  const { counted } = decodeRegion(sample.memory).guests[0];
  deepEqual(Object.entries(counted), [["a", 3], ["__proto__", 5], ["b".repeat(56), 6]]);
});

Deno.test("decodeRegion() decodes a mempool", () => {
  using sample = new SampleRegion();
  sample.shared.pool.allocBulk(Burst.of(5), 5);
  const { mempools } = decodeRegion(sample.memory);
  deepEqual(mempools, [{ name: "shared", count: 20, stride: 448, free: 15, problem: null }]);
});

Deno.test("decodeRegion() changes nothing", () => {
  using sample = new SampleRegion();
  const before = sample.memory.u8.slice();
  decodeRegion(sample.memory);
  deepEqual(sample.memory.u8.slice(), before);
});

Deno.test("decodeRegion() flags no ring while another thread moves it, nor loses its fill", async () => {
  using sample = new SampleRegion();
  const code = `onmessage = ({ data: [buffer, word, stop] }) => {
    const positions = new Int32Array(buffer);
    for (let n = 0; Atomics.load(positions, stop) === 0; n++) {
      Atomics.store(positions, word, n + ${RING_SIZE});
      Atomics.store(positions, word + ${RING.CONSUMER}, n + 1);
    }
    postMessage("done");
  };`;
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(code)}`, { type: "module" });
  const done = new Promise((resolve) => worker.onmessage = resolve);
  const word = sample.word("g0.p0.rx");
  sample.memory.u32[word + RING.PRODUCER] = RING_SIZE; // full, and kept nearly so
  worker.postMessage([sample.memory.u8.buffer, word, sample.word("notes")]);
  let moves = 0;
  try {
    for (const end = performance.now() + 300; performance.now() < end;) {
      const [rx] = decodeRegion(sample.memory).rings;
      equal(rx.problem, null);
      ok(rx.used >= RING_SIZE - 1, `${rx.used}`);
      moves = rx.consumer;
    }
  } finally {
    Atomics.store(new Int32Array(sample.memory.u8.buffer), sample.word("notes"), 1);
    await done;
    worker.terminate();
  }
  ok(moves > 0 || navigator.hardwareConcurrency === 1, "the other thread was at work");
});
