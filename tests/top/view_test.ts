import { deepEqual, equal, match, ok } from "node:assert/strict";
import { decodeRegion } from "../../app/inspect/decode.ts";
import { figuresOf } from "../../app/inspect/figures.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { percent, short, sparkline } from "../../app/top/format.ts";
import { History } from "../../app/top/history.ts";
import { plainLines, problemTexts, viewLines } from "../../app/top/view.ts";
import { SampleRegion } from "../inspect/sample_region.ts";

/** What is found in a region whose port received 2 million frames in the last second. */
function found(sample: SampleRegion) {
  const look = () => ({ name: "r0", run: "1", report: decodeRegion(sample.memory) });
  sample.count(COUNTER.CORE, 1);
  sample.count(COUNTER.SHOWN_MS, 1000);
  const before = look();
  sample.count(COUNTER.RX, 2e6);
  sample.count(COUNTER.RX_BYTES, 120e6);
  sample.count(COUNTER.RING_FULL, 1234);
  sample.count(COUNTER.LCORE_NS, 1e9);
  sample.count(COUNTER.IDLE_NS, 4e8);
  sample.count(COUNTER.SHOWN_MS, 2000);
  const now = look();
  return { looks: [now], regions: [figuresOf(now, before)] };
}

const PLAIN = { sort: "order", hasDetails: false } as const;

Deno.test("viewLines() shows host, cores, guests and ports in 80 columns", () => {
  using sample = new SampleRegion();
  const one = found(sample);
  const history = new History();
  history.add(one.regions);
  history.add(one.regions);
  const lines = viewLines(one, PLAIN, history, 80);
  const texts = lines.map(({ text }) => text);
  deepEqual(texts.slice(0, 4), [
    "region r0: READY, epoch 1   mbufs [##........] 25 of 100",
    "  core 0 [######....]  60 % busy",
    "  guest g0: ABSENT",
    "",
  ]);
  equal(
    texts[4],
    "PORT      RX/s  RXb/s   TX/s  TXb/s DROP/s   DROPS  RINGS%                FRAMES",
  );
  match(texts[5], /^g0 tap0 {2}2\.00M {2}1\.34G +0 +0 {2}1\.23k {3}1\.23k {5}0\/0 {20}██$/);
  equal(lines[5].style, "bad"); // it drops
  ok(texts.every((text) => text.length <= 80));
});

Deno.test("viewLines() tells drops by their reason, a second and in all, when asked for details", () => {
  using sample = new SampleRegion();
  const lines = viewLines(found(sample), { ...PLAIN, hasDetails: true }, new History(), 80);
  const texts = lines.map(({ text }) => text);
  ok(texts.includes("    dropped  1.23k/s, 1234 in all: guest too slow, its rx ring full"));
  ok(texts.includes("    core 0  rings  rx 0/64  tx 0/64  lend 0/64  giveback 0/64"));
});

Deno.test("viewLines() tells what a guest's functions count when asked for details", () => {
  using sample = new SampleRegion();
  const { looks, regions: [region] } = found(sample);
  const guests = region.report.guests.map((guest) => ({ ...guest, counted: { "SYN": 12 } }));
  const regions = [{ ...region, report: { ...region.report, guests } }];
  const texts = (hasDetails: boolean) =>
    viewLines({ looks, regions }, { ...PLAIN, hasDetails }, new History(), 80)
      .map(({ text }) => text);
  ok(texts(true).includes("    counted by its function: SYN 12"));
  ok(!texts(false).join().includes("SYN"));
  match(plainLines({ looks, regions }, "12:00:00")[1], /holds 0 mbufs, counted SYN 12$/);
});

Deno.test("viewLines() tells what a guest that runs gets and sends", () => {
  using sample = new SampleRegion();
  const { looks, regions: [region] } = found(sample);
  const guests = region.report.guests.map((guest) => ({ ...guest, state: "RUNNING", pid: 7 }));
  const regions = [{ ...region, report: { ...region.report, guests } }];
  const texts = viewLines({ looks, regions }, PLAIN, new History(), 80).map(({ text }) => text);
  equal(texts[2], "  guest g0: RUNNING, gets 2.00M/s 1.34Gb/s, sends 0/s 0b/s, pid 7");
});

Deno.test("viewLines() has a column for bursts where there is room", () => {
  using sample = new SampleRegion();
  const [, , , , head] = viewLines(found(sample), PLAIN, new History(), 120);
  match(head.text, /RINGS% {3}BURSTS% +FRAMES$/);
  equal(head.text.length, 120);
});

Deno.test("viewLines() sorts ports, and says so if there is nothing to see", () => {
  using sample = new SampleRegion();
  const { looks, regions: [region] } = found(sample);
  const quiet = { ...region.ports[0], name: "a", rx: { ...region.ports[0].rx, frameRate: 0 } };
  const two = { looks, regions: [{ ...region, ports: [quiet, ...region.ports] }] };
  const order = (sort: "order" | "rx" | "name") =>
    viewLines(two, { ...PLAIN, sort }, new History(), 80).slice(5).map(({ text }) =>
      text.split(/ +/)[1]
    );
  deepEqual(order("order"), ["a", "tap0"]);
  deepEqual(order("rx"), ["tap0", "a"]);
  deepEqual(order("name"), ["a", "tap0"]);
  deepEqual(viewLines({ looks: [], regions: [] }, PLAIN, new History(), 80), [
    { text: "no region here: culvert host makes one" },
  ]);
});

Deno.test("plainLines() has a line a port, with drops by reason", () => {
  using sample = new SampleRegion();
  const lines = plainLines(found(sample), "12:00:00");
  deepEqual(lines, [
    "12:00:00 r0 host READY mbufs 75 of 100 free core 0 busy 60 %",
    "12:00:00 r0 g0 ABSENT incarnation 0 holds 0 mbufs",
    "12:00:00 r0 g0 tap0 rx 2.000000 Mpps 1.344000 Gb/s tx 0.000000 Mpps 0.000000 Gb/s dropped " +
    "1234 (1234/s) ring_full 1234 (1234/s)",
  ]);
});

Deno.test("plainLines() tells what keeps a region from being shown once, until that changes", () => {
  const absent = { looks: [{ name: "r0", run: "" }], regions: [] };
  const refused = { looks: [{ name: "r0", run: "", problem: "Cannot open r0" }], regions: [] };
  const none = { looks: [], regions: [] };
  deepEqual(plainLines(absent, "12:00:00"), ["12:00:00 region r0: not there"]);
  deepEqual(plainLines(absent, "12:00:01", problemTexts(absent)), []);
  deepEqual(plainLines(refused, "12:00:02", problemTexts(absent)), ["12:00:02 Cannot open r0"]);
  const [line] = plainLines(none, "12:00:03", problemTexts(refused));
  deepEqual(line, "12:00:03 no region here: culvert host makes one");
  deepEqual(plainLines(none, "12:00:04", problemTexts(none)), []);
});

Deno.test("short() writes three digits and a unit", () => {
  const numbers = [0, 0.34, 7, 999.4, 999.6, 1000, 12_345, 999_600, 1.5e6, 9.996e9, 2e12];
  deepEqual(numbers.map(short), [
    "0",
    "0.3",
    "7.0",
    "999",
    "1.00k",
    "1.00k",
    "12.3k",
    "1.00M",
    "1.50M",
    "10.0G",
    "2.00T",
  ]);
});

Deno.test("percent() and sparkline() are as wide as they are told", () => {
  deepEqual([undefined, 0, 0.005, 1].map(percent), ["-", "0", "1", "100"]);
  equal(sparkline([0, 1, 4, 8], 6), "   ▂▅█");
  equal(sparkline([9, 9, 1, 2], 2), "▅█");
  equal(sparkline([], 3), "   ");
});
