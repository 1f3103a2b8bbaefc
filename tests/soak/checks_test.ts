/**
 * That a soak notices what it is there for: a wrong stage between sender and receiver, losses that
 * nobody counts, growth.
 *
 * @module
 */
import assert from "node:assert/strict";
import { crc32 as zlibCrc32 } from "node:zlib";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { Mbufs } from "../../app/mempool/mbuf.ts";
import { addJudgements, judge } from "./accounts.ts";
import { crc32 } from "./crc32.ts";
import { FAULTS, pickFault } from "./faults.ts";
import { FlowChecker, type Gap, noWrongs } from "./flow_checker.ts";
import { chartText, plot } from "./plot.ts";
import { Random } from "../kit/random.ts";
import { BYTES_MIN, SoakFrames } from "./soak_frame.ts";
import { reportText, type SoakReport } from "./soak_report.ts";
import { SendLog } from "./traffic_end.ts";
import { growthOf, quantile, type Sample } from "./watch.ts";
import { Burst } from "../../app/ring/burst.ts";

const STRIDE = 2368, FRAMES = 16, FLOW = 2;

/** Frames 0 to 15 of a flow in memory, for a stage to spoil, and who checks what it passes on. */
class Bench {
  readonly mbufs: Mbufs;
  readonly burst = Burst.of(FRAMES);
  readonly gaps: Gap[] = [];
  readonly checker: FlowChecker;

  constructor({ flow = FLOW, run = 7 } = {}) {
    const memory = MappedMemory.ofProcess(65536);
    this.mbufs = new Mbufs(memory, { offset: 0, stride: STRIDE, count: FRAMES });
    const frames = new SoakFrames(run, 1514);
    for (let number = 0; number < FRAMES; number++) {
      this.burst.words[number << 1] = number;
      frames.write(this.mbufs, this.burst, number, { flow, number, stamp: 100 + number });
    }
    this.checker = new FlowChecker(new SoakFrames(7, 1514), FLOW, (gap) => this.gaps.push(gap));
  }

  /** The byte where frame `number` starts, and how many it has. */
  place(number: number): [byte: number, bytes: number] {
    const [word0, word1] = this.burst.words.subarray(number << 1, (number << 1) + 2);
    return [this.mbufs.frameByte(word0, word1), word1 >>> 16];
  }

  /** A stage passes these frames on, in this order. */
  pass(...numbers: number[]): FlowChecker {
    for (const number of numbers) this.checker.check(this.mbufs, ...this.place(number));
    return this.checker;
  }
}

Deno.test("Frames that come as they were sent are right", () => {
  const { wrongs, received, foreign, tag, next } = new Bench().pass(0, 1, 2, 3);
  assert.deepEqual([wrongs, received, foreign, next], [noWrongs(), 4, 0, 4]);
  assert.deepEqual(tag, { flow: FLOW, number: 3, stamp: 103 });
});

Deno.test("Any bit of a frame that a stage changes is noticed", () => {
  const bench = new Bench();
  const [byte, bytes] = bench.place(0);
  const type = [12, 13];
  let noticed = 0;
  for (let at = 0; at < bytes; at++) {
    if (type.includes(at)) continue;
    for (let bit = 0; bit < 8; bit++) {
      bench.mbufs.u8[byte + at] ^= 1 << bit;
      bench.checker.check(bench.mbufs, byte, bytes);
      assert.equal(bench.checker.wrongs.corrupted, ++noticed, `byte ${at}, bit ${bit}`);
      bench.mbufs.u8[byte + at] ^= 1 << bit;
    }
  }
  bench.mbufs.u8[byte + 13] ^= 1;
  bench.checker.check(bench.mbufs, byte, bytes);
  assert.equal(bench.checker.foreign, 1);
});

Deno.test("A frame that a stage cuts short, or lengthens, is noticed", () => {
  const bench = new Bench();
  for (const by of [-4, -1, 1, 4]) {
    const [byte, bytes] = bench.place(1);
    bench.checker.check(bench.mbufs, byte, bytes + by);
  }
  assert.equal(bench.checker.wrongs.corrupted, 4);
});

Deno.test("A frame that a stage sends twice is noticed, at once and later", () => {
  const { wrongs, received } = new Bench().pass(0, 1, 1, 2, 3, 0);
  assert.deepEqual(wrongs, { ...noWrongs(), duplicated: 2 });
  assert.equal(received, 4);
});

Deno.test("Frames that a stage lets overtake others are noticed, and the same again as repeated", () => {
  const { wrongs, received } = new Bench().pass(0, 3, 1, 2, 1);
  assert.deepEqual(wrongs, { ...noWrongs(), reordered: 2, duplicated: 1 });
  assert.equal(received, 2);
});

Deno.test("Frames that a stage keeps are found missing, those at the end when books are closed", () => {
  const bench = new Bench();
  const { wrongs, received } = bench.pass(0, 1, 5);
  bench.checker.settle(9);
  assert.deepEqual(bench.gaps, [{ first: 2, end: 5 }, { first: 6, end: 9 }]);
  assert.deepEqual([wrongs, received, bench.checker.next], [noWrongs(), 3, 9]);
  bench.pass(7);
  assert.equal(wrongs.reordered, 1, "nothing may come behind that");
});

Deno.test("A frame that a stage sends out at another port is noticed, and one of another run", () => {
  assert.deepEqual(new Bench({ flow: 3 }).pass(0).wrongs, { ...noWrongs(), misdelivered: 1 });
  assert.equal(new Bench({ run: 8 }).pass(0).foreign, 1);
});

Deno.test("All lengths come, from the shortest to the longest, before one comes again", () => {
  for (const bytesMax of [1514, 9014, BYTES_MIN]) {
    const frames = new SoakFrames(1, bytesMax);
    const count = bytesMax - BYTES_MIN + 1;
    const lengths = new Set(Array.from({ length: count }, (_, number) => frames.bytesOf(number)));
    assert.equal(lengths.size, count);
    assert.deepEqual([Math.min(...lengths), Math.max(...lengths)], [BYTES_MIN, bytesMax]);
  }
});

Deno.test("The CRC is zlib's", () => {
  const bytes = crypto.getRandomValues(new Uint8Array(64));
  for (let length = 0; length <= 60; length++) {
    const found = crc32(new Uint32Array(bytes.buffer), 1, length);
    assert.equal(found, zlibCrc32(bytes.subarray(4, 4 + length)), `${length} bytes`);
  }
});

const ROUND = { sent: 100, received: 90, counted: 10, missed: 0, kernel: 0, lostWithHost: 0 };

Deno.test("A lost frame that nobody counts breaks the books, and one that is counted too often", () => {
  assert.equal(judge(ROUND).unaccounted, 0);
  assert.equal(judge({ ...ROUND, received: 89 }).unaccounted, 1);
  assert.equal(judge({ ...ROUND, counted: 11 }).unaccounted, -1);
  assert.equal(judge({ ...ROUND, counted: 8, missed: 2 }).unaccounted, 0);
});

Deno.test("The kernel's drops fill a gap in the books, but are no surplus", () => {
  assert.equal(judge({ ...ROUND, counted: 7, kernel: 5 }).byKernel, 3);
  assert.equal(judge({ ...ROUND, counted: 7, kernel: 2 }).unaccounted, 1);
  assert.equal(judge({ ...ROUND, kernel: 5 }).unaccounted, 0);
});

Deno.test("A host that goes takes no more along than was sent in its fault's window", () => {
  const found = judge({ ...ROUND, counted: 2, lostWithHost: 5 });
  assert.deepEqual([found.withHost, found.unaccounted], [5, 3]);
});

Deno.test("What one pair has counted too much does not make up for what another lacks", () => {
  const sum = addJudgements([{ ...ROUND, received: 89 }, { ...ROUND, counted: 11 }].map(judge));
  assert.notEqual(sum.unaccounted, 0);
});

Deno.test("Losses are told by when the frames were sent", () => {
  const log = new SendLog();
  for (const [stamp, number] of [[10, 0], [20, 5], [30, 8]]) log.add(stamp, number);
  const found = [...log.timesOf({ first: 4, end: 9 })];
  const wanted = [[10, 1], [20, 3], [30, 1]].map(([sentAt, frames]) => ({ sentAt, frames }));
  assert.deepEqual(found, wanted);
  log.forget(8);
  assert.deepEqual([...log.timesOf({ first: 8, end: 10 })], [{ sentAt: 30, frames: 2 }]);
});

/** A process looked at once a second. */
function life(pid: number, seconds: number, of: (second: number) => Partial<Sample>): Sample[] {
  const usual = { role: "host", pid, memory: 40, descriptors: 50 };
  return Array.from({ length: seconds }, (_, at) => ({ ...usual, at, ...of(at) }));
}

Deno.test("Memory and descriptors that grow are noticed; a warm-up and what comes and goes are not", () => {
  const wave = (at: number) => ({ memory: 40 + 8 * Math.sin(at), descriptors: 50 + at % 3 });
  assert.deepEqual(growthOf(life(1, 100, wave)), []);
  assert.deepEqual(growthOf(life(1, 100, (at) => ({ memory: Math.min(30 + at, 45) }))), []);
  assert.match(growthOf(life(1, 100, (at) => ({ memory: 40 + at })))[0], /host .*MiB became/);
  assert.match(
    growthOf(life(1, 9, (at) => ({ descriptors: 50 + at })))[0],
    /50 descriptors became 58/,
  );
  const lives = Array.from(
    { length: 20 },
    (_, pid) => life(pid, 1, () => ({ memory: 40 + 3 * pid })),
  );
  assert.match(growthOf(lives.flat())[0], /all that was host/);
});

Deno.test("Another server may cost descriptors once, until lcores attach anew, and no more", () => {
  const reconnects = (at: number) => ({ server: at < 4 ? 1 : 2, descriptors: at < 5 ? 45 : 54 });
  assert.deepEqual(growthOf(life(1, 12, reconnects)), []);
  // The host was started anew at 12.
  const attaches = (at: number) => ({
    server: 1 + Math.floor(at / 8),
    descriptors: at < 9 ? 45 : at < 12 ? 54 : at < 17 ? 45 : 54,
  });
  assert.deepEqual(growthOf(life(1, 24, attaches)), []);
  const leaks = (at: number) => ({ server: Math.floor(at / 6), descriptors: 45 + at });
  assert.equal(growthOf(life(1, 18, leaks)).length, 2);
  const leaksAtEach = (at: number) => ({
    server: Math.floor(at / 6),
    descriptors: 45 + 9 * Math.floor(at / 6),
  });
  assert.deepEqual(growthOf(life(1, 12, leaksAtEach)), []);
  assert.match(growthOf(life(1, 18, leaksAtEach))[0], /45 descriptors became 63/);
});

Deno.test("The same seed chooses the same faults, and all of them come", () => {
  const choose = (seed: number) => {
    const random = new Random(seed);
    return Array.from({ length: 200 }, () => pickFault(FAULTS, random).name);
  };
  assert.deepEqual(choose(1), choose(1));
  assert.notDeepEqual(choose(1), choose(2));
  assert.equal(new Set(choose(1)).size, FAULTS.length);
});

Deno.test("A quantile is a value that was found", () => {
  assert.deepEqual([0, 0.5, 0.99, 1].map((share) => quantile([3, 1, 2, 4], share)), [1, 2, 4, 4]);
  assert(Number.isNaN(quantile([], 0.5)));
});

Deno.test("The plot shows every fault and every process, and gaps where one was away", () => {
  const judgement = judge(ROUND);
  const second = (at: number, memory: Record<string, number>) => ({
    at,
    frames: 9,
    missing: 0,
    memory,
    descriptors: { host: 50 },
    mbufsFree: 8000,
  });
  const report: SoakReport = {
    ...{ seed: 1, minutes: 0.1, rate: 9, mtu: 1500, sent: 100, received: 90, bytes: 9000 },
    ...{ wrongs: noWrongs(), account: judgement, reasons: {}, broken: [] },
    faults: [{ name: "host killed", at: 1, recovery: 0.5, judgement, underWay: 0 }],
    seconds: [second(1, { host: 40 }), second(2, {}), second(3, { host: 41, "guest 0": 30 })],
  };
  const svg = plot(report);
  for (const word of ["host killed (1)", ">host<", ">guest 0<"]) assert(svg.includes(word), word);
  assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
  assert.match(chartText(report), /^frames\/s +█+ 9$/m);
  assert.match(reportText(report), /every promise was kept/);
  assert.match(reportText({ ...report, broken: ["it"] }), /BROKEN: it/);
});
