/**
 * The checks of a run find what they are for: uncounted losses, growth, frames that leaked.
 *
 * @module
 */
import assert from "node:assert/strict";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { Mbufs } from "../../app/mempool/mbuf.ts";
import { Burst } from "../../app/ring/burst.ts";
import { addJudgements, judge } from "./accounts.ts";
import { FAULTS, pickFault } from "./faults.ts";
import { CANARY, MBUF_HEAD, plain } from "../kit/canary.ts";
import { noWrongs } from "../kit/flow_checker.ts";
import { FlowFrames } from "../kit/flow_frame.ts";
import { Random } from "../kit/random.ts";
import { reportText, type StageReport, verdict } from "./report.ts";
import { SendLog } from "../kit/traffic_end.ts";
import { chartText, plot } from "../soak/plot.ts";
import { LeakJudge } from "./leak_judge.ts";
import { lateRecoveries } from "./recovery.ts";
import { growthOf, quantile, type Sample } from "./watch.ts";

const ROUND = { sent: 100, received: 90, counted: 10, missed: 0, kernel: 0, lostWithHost: 0 };

Deno.test("judge() finds a lost frame that nobody counts, and one that is counted too often", () => {
  assert.equal(judge(ROUND).unaccounted, 0);
  assert.equal(judge({ ...ROUND, received: 89 }).unaccounted, 1);
  assert.equal(judge({ ...ROUND, counted: 11 }).unaccounted, -1);
  assert.equal(judge({ ...ROUND, counted: 8, missed: 2 }).unaccounted, 0);
});

Deno.test("judge() lets the kernel's drops explain losses, but not more than there are", () => {
  assert.equal(judge({ ...ROUND, counted: 7, kernel: 5 }).byKernel, 3);
  assert.equal(judge({ ...ROUND, counted: 7, kernel: 2 }).unaccounted, 1);
  assert.equal(judge({ ...ROUND, kernel: 5 }).unaccounted, 0);
});

Deno.test("judge() lets a host that ended explain no more losses than were sent around its end", () => {
  const found = judge({ ...ROUND, counted: 2, lostWithHost: 5 });
  assert.deepEqual([found.withHost, found.unaccounted], [5, 3]);
});

Deno.test("addJudgements() finds a loss in one pair although another pair counted too much", () => {
  const sum = addJudgements([{ ...ROUND, received: 89 }, { ...ROUND, counted: 11 }].map(judge));
  assert.notEqual(sum.unaccounted, 0);
});

Deno.test("SendLog tells when the frames of a gap were sent", () => {
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

Deno.test("growthOf() finds memory and descriptors that grow, not a warm-up or what comes and goes", () => {
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

Deno.test("growthOf() lets another server cost descriptors once, until lcores attach again", () => {
  const reconnects = (at: number) => ({ server: at < 4 ? 1 : 2, descriptors: at < 5 ? 45 : 54 });
  assert.deepEqual(growthOf(life(1, 12, reconnects)), []);
  const alsoReads = (at: number) => ({
    server: at < 4 ? 1 : 2,
    descriptors: at < 5 ? 45 : at < 11 ? 59 : 61, // the last time while it reads two files
  });
  assert.deepEqual(growthOf(life(1, 12, alsoReads)), []);
  // The host was started anew at 12.
  const attaches = (at: number) => ({
    server: 1 + Math.floor(at / 8),
    descriptors: at < 9 ? 45 : at < 12 ? 54 : at < 17 ? 45 : 54,
  });
  assert.deepEqual(growthOf(life(1, 24, attaches)), []);
  const leaks = (at: number) => ({ server: Math.floor(at / 6), descriptors: 45 + at });
  assert.equal(growthOf(life(1, 24, leaks)).length, 2);
  const leaksAtEach = (at: number) => ({
    server: Math.floor(at / 6),
    descriptors: 45 + 9 * Math.floor(at / 6),
  });
  assert.deepEqual(growthOf(life(1, 12, leaksAtEach)), []);
  assert.match(growthOf(life(1, 18, leaksAtEach))[0], /45 descriptors became 63/);
});

Deno.test("pickFault() picks the same faults for the same seed, and all that have a weight", () => {
  const choose = (seed: number) => {
    const random = new Random(seed);
    return Array.from({ length: 400 }, () => pickFault(FAULTS, random).name);
  };
  assert.deepEqual(choose(1), choose(1));
  assert.notDeepEqual(choose(1), choose(2));
  assert.equal(new Set(choose(1)).size, FAULTS.filter(({ weight }) => weight > 0).length);
});

Deno.test("quantile() is one of the values", () => {
  assert.deepEqual([0, 0.5, 0.99, 1].map((share) => quantile([3, 1, 2, 4], share)), [1, 2, 4, 4]);
  assert(Number.isNaN(quantile([], 0.5)));
});

Deno.test("plot() shows every fault and every process, and gaps where one was away", () => {
  const judgement = judge(ROUND);
  const second = (at: number, memory: Record<string, number>) => ({
    at,
    frames: 9,
    missing: 0,
    memory,
    descriptors: { host: 50 },
    mbufsFree: 8000,
  });
  const report: StageReport = {
    ...{ seed: 1, minutes: 0.1, rate: 9, mtu: 1500, sent: 100, received: 90, bytes: 9000 },
    ...{ wrongs: noWrongs(), account: judgement, reasons: {}, broken: [] },
    faults: [{ name: "host killed", at: 1, recovery: 0.5, bare: 40, judgement, underWay: 0 }],
    seconds: [second(1, { host: 40 }), second(2, {}), second(3, { host: 41, "guest 0": 30 })],
  };
  const svg = plot(report);
  for (const word of ["host killed (1)", ">host<", ">guest 0<"]) assert(svg.includes(word), word);
  assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
  assert.match(chartText(report), /^frames\/s +█+ 9$/m);
  assert.match(verdict(report), /^GOOD: 0 faults, every promise was kept \(seed 1\)$/);
  assert.match(
    reportText({ ...report, broken: ["it"] }),
    /BROKEN: it$/,
  );
  assert.match(verdict({ ...report, broken: ["it"] }), /^BAD: 1 .* --seed 1$/);
});

Deno.test("lateRecoveries() wants half of the recoveries in time, on a busy machine a later time", () => {
  const fault = (recovery: number, bare: number) => ({
    ...{ name: "guest killed", at: 1, recovery, bare, underWay: 0, judgement: judge(ROUND) },
  });
  assert.deepEqual(lateRecoveries([fault(0.9, 40), fault(0.2, 40), fault(9, 40)]), []);
  assert.match(
    lateRecoveries([fault(1.1, 40), fault(1.2, 40), fault(0.1, 40)])[0],
    /after 1100 ms, not 1000$/,
  );
  assert.deepEqual(lateRecoveries([fault(1.9, 160), fault(1.2, 160), fault(9, 160)]), []);
  assert.deepEqual(lateRecoveries([fault(9, 40), fault(9, 40)]), [], "two show no median");
});

/** A judge of frames up to 100 bytes, and memory for one. */
function leakLab() {
  const memory = MappedMemory.ofProcess(4096);
  const mbufs = new Mbufs(memory, { offset: 0, stride: 2048, count: 2 });
  return { mbufs, judge: new LeakJudge(100) };
}

/** A word, as it lies in memory. */
function bytesOf(word: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(word).buffer);
}

Deno.test("LeakJudge finds a canary that begins at any byte, and no part of one", () => {
  const { mbufs, judge } = leakLab();
  for (let at = 0; at <= 60; at++) {
    mbufs.u8.fill(0).set(bytesOf(CANARY), 128 + at);
    judge.look(mbufs, 128, 60);
    assert.equal(judge.wrongs["with a canary"], Math.min(at + 1, 57), `canary at ${at}`);
  }
});

Deno.test("LeakJudge finds a frame that goes on in another mbuf; it may begin where its mbuf does", () => {
  const { mbufs, judge } = leakLab();
  for (let at = 0; at <= 60; at++) {
    mbufs.u8.fill(0).set(bytesOf(MBUF_HEAD), 128 + at);
    judge.look(mbufs, 128, 60);
    assert.equal(judge.wrongs["that go on in another mbuf"], Math.min(at, 56), `head at ${at}`);
  }
});

Deno.test("LeakJudge finds no canary and no head in words that plain() made", () => {
  const { mbufs, judge } = leakLab();
  const words = [CANARY, MBUF_HEAD, 0xffffffff, 0x1d0ddba1, 0xf00d0bad, 0xb688b688];
  for (const [i, word] of [...words, ...words.toReversed()].entries()) {
    mbufs.u32[32 + i] = plain(word);
  }
  for (let at = 128; at < 144; at += 1) judge.look(mbufs, at, 32);
  assert.deepEqual([judge.left, judge.firstLeak], [16, ""]);
});

Deno.test("LeakJudge finds a frame that is longer than the limit, or shorter than a header", () => {
  const { mbufs, judge } = leakLab();
  for (const bytes of [13, 14, 100, 101]) judge.look(mbufs, 128, bytes);
  const { left, wrongs } = judge;
  assert.deepEqual([left, wrongs["that are too long"], wrongs["that are too short"]], [4, 1, 1]);
  assert.match(judge.firstLeak, /^13 bytes: 0{26}$/);
});

Deno.test("LeakJudge finds a frame of another region, or half of one", () => {
  const { mbufs, judge } = leakLab();
  const burst = Burst.of(1);
  new FlowFrames(7, 100).write(mbufs, burst, 0, { flow: 0, number: 3, stamp: 4 });
  const byte = mbufs.frameByte(0, burst.words[1]);
  for (const bytes of [burst.words[1] >>> 16, 20]) judge.look(mbufs, byte, bytes);
  assert.equal(judge.wrongs["of the other region"], 2);
});
