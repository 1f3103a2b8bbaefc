import { deepEqual, equal, ok } from "node:assert/strict";
import { COUNTERS_BYTES, FunctionCounters } from "../../app/channel/function_counters.ts";
import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { decodeRegion, withLives } from "../../app/inspect/decode.ts";
import {
  BUSY_LCORES,
  CHANNEL,
  DIRECTORY_BYTES,
  ENTRY,
  GUEST,
  HEADER,
  LAYOUT_VERSION,
  MPMC,
  RING,
  SLEEP,
  ZONES_MAX,
} from "../../app/memory/layout.ts";
import type { RegionReport } from "../../app/inspect/region_report.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { RING_SIZE, SampleRegion } from "./sample_region.ts";
import { Burst } from "../../app/ring/burst.ts";

/** A directory entry's first word. */
function entryWord(index: number): number {
  return DIRECTORY_BYTES / 4 + index * ENTRY.WORDS;
}

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
    ["g0.p0.rx", RING_SIZE, "the producer is 65 ahead of the consumer, of 64 slots"],
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

Deno.test("withLives() sees whose heartbeat has moved", () => {
  using sample = new SampleRegion();
  const first = decodeRegion(sample.memory);
  sample.region.beat();
  const second = withLives(first, decodeRegion(sample.memory));
  equal(second.host?.isAlive, true);
  deepEqual(second.guests.map(({ isAlive }) => isAlive), [false]);
  sample.guest.beat();
  const third = withLives(second, decodeRegion(sample.memory));
  equal(third.host?.isAlive, false);
  deepEqual(third.guests.map(({ isAlive }) => isAlive), [true]);
});

Deno.test("withLives() sees which lcores come round their loops, and says nothing of those unknown", () => {
  using sample = new SampleRegion();
  const lcores = (before: RegionReport) => {
    const now = withLives(before, decodeRegion(sample.memory));
    const [{ hostSleep, guestSleep }] = now.channels;
    return [hostSleep.isTurning, guestSleep.isTurning];
  };
  const first = decodeRegion(sample.memory);
  deepEqual(lcores(first), [null, null]);
  sample.count(COUNTER.ROUNDS, 7);
  sample.channel.tellRounds(3);
  const second = decodeRegion(sample.memory);
  deepEqual(lcores(first), [true, true]);
  deepEqual(lcores(second), [false, false]);
  sample.channel.tellRounds(4);
  deepEqual(lcores(second), [false, true]);
});

for (
  const [what, spoil, problem, decodesRest] of [
    ["a closed", (s) => s.region.close(), undefined, true],
    [
      "a half-built",
      (s) => s.memory.store(HEADER.VERSION, 0),
      "half-built: its host is still at it, or died over it",
      true,
    ],
    [
      "a newer",
      (s) => s.memory.store(HEADER.VERSION, 77),
      `of layout version 77, this build reads ${LAYOUT_VERSION}: use its own build`,
      false,
    ],
    [
      "a differently laid out",
      (s) => s.memory.u32[HEADER.LAYOUT_HASH]++,
      "of another layout: use the build that made it",
      false,
    ],
    [
      "a magicless",
      (s) => s.memory.u32[HEADER.MAGIC_1]++,
      "no region: Culvert's magic is not there",
      false,
    ],
    [
      "a doubled",
      (s) => s.memory.u32[HEADER.PAGES] *= 2,
      `the header says ${2 << 20} bytes where there are ${1 << 20}`,
      true,
    ],
    [
      "an overcounted",
      (s) => s.memory.u32[HEADER.ZONE_COUNT] = 1e9,
      `the directory counts 1000000000 memzones, of which ${ZONES_MAX} can be there`,
      true,
    ],
  ] as [string, (sample: SampleRegion) => void, string | undefined, boolean][]
) {
  Deno.test(`decodeRegion() describes ${what} region as far as it can be`, () => {
    using sample = new SampleRegion();
    spoil(sample);
    const report = decodeRegion(sample.memory);
    deepEqual(report.problems, problem === undefined ? [] : [problem]);
    equal(report.host !== null, decodesRest);
    equal(report.channels.length, decodesRest ? 1 : 0);
  });
}

Deno.test("decodeRegion() tells the state of a host that has closed its region", () => {
  using sample = new SampleRegion();
  sample.region.close();
  equal(decodeRegion(sample.memory).host?.state, "CLOSED");
  sample.memory.store(HEADER.STATE, 99);
  equal(decodeRegion(sample.memory).host?.state, "99");
});

Deno.test("decodeRegion() tells memory that nobody has begun from memory that is no region", () => {
  using memory = freshMemory(8192);
  deepEqual(decodeRegion(memory).problems, ["blank: no host has begun it"]);
  memory.u32[1023] = 1;
  deepEqual(decodeRegion(memory).problems, ["no region: Culvert's magic is not there"]);
});

for (
  const [what, name, field, value, problem] of [
    ["lies over the header", "notes", ENTRY.OFFSET, 4096, /^it lies over header or directory$/],
    ["is not aligned", "notes", ENTRY.OFFSET, 1000001, /^it is not aligned to 128 bytes$/],
    ["leaves the region", "notes", ENTRY.SIZE, 0xffffffff, /^it ends at \d+, behind the region's/],
    ["lies over another", "notes", ENTRY.OFFSET, 16384, /^it overlaps g0$/],
    ["has no name", "notes", ENTRY.NAME, 0, /^it has no name$/],
    ["is of no known kind", "notes", ENTRY.KIND, 1234, /^this build does not know its kind$/],
    ["is too small for a guest", "g0", ENTRY.SIZE, 384, /^384 bytes are too few, 1408 are wanted$/],
    ["is too small for a channel", "g0.p0", ENTRY.SIZE, 8, /^8 bytes are too few, 768 are wanted$/],
    ["is a ring of 63 slots", "g0.p0.tx", ENTRY.PARAMETER, 63, /^no ring has 63 slots$/],
    ["is a ring of 0 slots", "work", ENTRY.PARAMETER, 0, /^no ring has 0 slots$/],
    ["is too small a ring", "g0.p0.rx", ENTRY.PARAMETER, 128, /^128 slots do not fit into 768 by/],
    ["is too small an MPMC ring", "work", ENTRY.PARAMETER, 32, /^32 slots do not fit into 320 by/],
    ["has mbufs of 0 bytes", "mbufs", ENTRY.PARAMETER, 0, /^mbufs of 0 bytes do not fit$/],
    ["is a mempool too large", "shared", ENTRY.PARAMETER, 4096, /^20 mbufs of 4096 bytes do not/],
  ] as [string, string, number, number, RegExp][]
) {
  Deno.test(`decodeRegion() says so when a memzone ${what}, and goes on with the others`, () => {
    using sample = new SampleRegion();
    const before = decodeRegion(sample.memory);
    const index = before.zones.findIndex((zone) => zone.name === name);
    sample.memory.u32[entryWord(index) + field] = value;
    const { zones } = decodeRegion(sample.memory);
    ok(problem.test(`${zones[index].problem}`), `${zones[index].problem}`);
    const spoiled = zones.filter((zone) => zone.problem !== null).length;
    ok(spoiled <= 3, "a memzone and those that it overlaps");
  });
}

Deno.test("decodeRegion() flags names that occur twice", () => {
  using sample = new SampleRegion();
  const names = decodeRegion(sample.memory).zones.map(({ name }) => name);
  const [rx, tx] = ["g0.p0.rx", "g0.p0.tx"].map((name) => entryWord(names.indexOf(name)));
  sample.memory.u32.copyWithin(tx, rx, rx + 8);
  const problems = decodeRegion(sample.memory).zones.map(({ problem }) => problem).filter(Boolean);
  deepEqual(problems, Array(2).fill("there is another of that name"));
});

Deno.test("decodeRegion() reads a region of which only the beginning is there", () => {
  using sample = new SampleRegion();
  for (const bytes of [4096, 8192, 16384, 20480, 65536]) {
    using memory = freshMemory(bytes);
    memory.u8.set(sample.memory.u8.subarray(0, bytes));
    const { problems, zones } = decodeRegion(memory);
    equal(problems[0], `the header says ${1 << 20} bytes where there are ${bytes}`);
    equal(zones.length, bytes === 4096 ? 0 : 10);
    ok(bytes === 4096 || zones[9].problem !== null);
  }
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
