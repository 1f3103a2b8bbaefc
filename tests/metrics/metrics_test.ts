import { deepEqual, equal, match, ok } from "node:assert/strict";
import { decodeRegion } from "../../app/inspect/decode.ts";
import { figuresOf } from "../../app/inspect/figures.ts";
import { EXPOSITION_TYPE, expositionText } from "../../app/metrics/exposition.ts";
import { FAMILIES } from "../../app/metrics/families.ts";
import { PlotHistory } from "../../app/metrics/history.ts";
import { Snapshot } from "../../app/metrics/snapshot.ts";
import { Totals } from "../../app/metrics/totals.ts";
import type { GuestReport } from "../../app/inspect/region_report.ts";
import { COUNTER, DROPS } from "../../app/port/counters.ts";
import { SampleRegion } from "../inspect/sample_region.ts";

/** What a look finds in a region, as of host number `run`. */
function found(sample: SampleRegion, run = 1) {
  const look = { name: "r0", run: `${run}`, report: decodeRegion(sample.memory) };
  return { regions: [figuresOf(look)], looks: [look] };
}

/** The text after some looks at a region. */
function textOf(snapshot: Snapshot): string {
  return expositionText(snapshot.measured, "1.2.3");
}

Deno.test("Totals go on when another host begins at 0, and when a counter goes back", () => {
  const totals = new Totals();
  totals.see("r0", 0);
  totals.see("r1", 0);
  const of = (run: string, value: number) => totals.of("r0", "c", run, value);
  deepEqual([of("1", 5), of("1", 7), of("2", 0), of("2", 3)], [5, 7, 7, 10]);
  deepEqual([of("3", 100), of("3", 100), of("3", 2)], [110, 110, 112]);
  equal(totals.of("r1", "c", "1", 4), 4);
});

Deno.test("Totals forget a region that was not seen for an hour, not before", () => {
  const totals = new Totals();
  totals.see("r0", 0);
  totals.of("r0", "c", "1", 5);
  totals.see("r1", 3_600_000);
  totals.see("r0", 3_600_001);
  equal(totals.of("r0", "c", "2", 1), 6);
  totals.see("r1", 8_000_000);
  totals.see("r0", 8_000_001);
  equal(totals.of("r0", "c", "3", 1), 1);
});

Deno.test("Totals forget counters that come no more, if they are many, and no others", () => {
  const totals = new Totals();
  for (let look = 0; look < 1500; look++) {
    totals.see("r0", look);
    totals.of("r0", "stays", "1", 5);
    totals.of("r0", `guest's ${look}`, "1", 5);
  }
  totals.see("r0", 1500);
  const names = ["stays", "guest's 1499", "guest's 499", "guest's 498", "guest's 0"];
  deepEqual(names.map((name) => totals.of("r0", name, "2", 1)), [6, 6, 6, 1, 1]);
});

Deno.test("expositionText() tells counters, gauges, drops by reason and a function's counters", () => {
  using sample = new SampleRegion();
  sample.count(COUNTER.RX, 12);
  sample.count(COUNTER.RING_FULL, 3);
  sample.count(COUNTER.DOWN, 1);
  const snapshot = new Snapshot();
  const { regions: [region], looks } = found(sample);
  const guests = region.report.guests.map((guest) => ({ ...guest, counted: { "SYN": 5 } }));
  snapshot.update([{ ...region, report: { ...region.report, guests } }], looks, 0);
  const text = textOf(snapshot);
  const port = 'region="r0",guest="0",port="0",name="tap0"';
  for (
    const line of [
      'culvert_build_info{version="1.2.3"} 1',
      "# TYPE culvert_port_received_frames_total counter",
      `culvert_port_received_frames_total{${port}} 12`,
      `culvert_port_dropped_frames_total{${port},reason="ring_full"} 3`,
      `culvert_port_dropped_frames_total{${port},reason="no_guest"} 0`,
      `culvert_port_up{${port}} 0`,
      `culvert_ring_slots{${port},ring="rx"} 64`,
      'culvert_guest_counted_total{region="r0",guest="0",counter="SYN"} 5',
      'culvert_mbufs_free{region="r0"} 75',
      'culvert_guest_state{region="r0",guest="0",state="absent"} 1',
    ]
  ) ok(text.split("\n").includes(line), `${line} is not in\n${text}`);
  match(EXPOSITION_TYPE, /version=0\.0\.4/);
});

Deno.test("expositionText() escapes names that are not ours", () => {
  using sample = new SampleRegion();
  const { offset } = sample.zone("g0.p0");
  sample.memory.u8.set(new TextEncoder().encode('a"\\\nb\0'), offset);
  const snapshot = new Snapshot();
  const { regions, looks } = found(sample);
  snapshot.update(regions, looks, 0);
  ok(textOf(snapshot).includes('name="a\\"\\\\\\nb"'));
});

Deno.test("each metric has a name of its own, by Prometheus' conventions, and a sentence of help", () => {
  equal(new Set(FAMILIES.map(({ name }) => name)).size, FAMILIES.length);
  for (const { name, help } of FAMILIES) {
    match(name, /^[a-z]+(_[a-z]+)*$/);
    ok(!name.endsWith("_total"), `${name}: _total is added`);
    match(help, /^[A-Z].*\.$/);
  }
});

Deno.test("Snapshot lets counters go on at a new host, and leaves a region out that is being built", () => {
  using sample = new SampleRegion();
  const snapshot = new Snapshot();
  const rx = () => /received_frames_total\{.*\} (\d+)/.exec(textOf(snapshot))?.[1];
  const update = (frames: number, run: number) => {
    sample.count(COUNTER.RX, frames);
    const { regions, looks } = found(sample, run);
    snapshot.update(regions, looks, 0);
  };
  update(10, 1);
  equal(rx(), "10");
  const { regions: [region], looks } = found(sample);
  const host = { ...region.report.host!, state: "BUILDING" };
  snapshot.update([{ ...region, report: { ...region.report, host } }], looks, 0);
  equal(rx(), undefined);
  update(4, 2);
  equal(rx(), "14");
  snapshot.update([], [], 0);
  equal(rx(), undefined);
  update(5, 2);
  equal(rx(), "15");
});

Deno.test("Snapshot counts once what a host goes on with after a change, and all that another counts", () => {
  using sample = new SampleRegion();
  const snapshot = new Snapshot();
  const rxAfter = (host: number, run: number, frames: number) => {
    sample.count(COUNTER.RX, frames);
    sample.count(COUNTER.RUN, run);
    const { regions, looks } = found(sample, host);
    snapshot.update(regions, looks, 0);
    return Number(/received_frames_total\{.*\} (\d+)/.exec(textOf(snapshot))![1]);
  };
  deepEqual([rxAfter(1, 0.5, 100), rxAfter(2, 0.5, 100), rxAfter(3, 0.5, 130)], [100, 100, 130]);
  equal(rxAfter(4, 0.25, 200), 330, "another process, that has quickly counted more");
  equal(rxAfter(4, 0.125, 10), 340, "the port was deleted and added");
  deepEqual([rxAfter(5, 0, 50), rxAfter(6, 0, 60)], [390, 450], "hosts that do not tell");
});

Deno.test("Snapshot counts once what a guest goes on with at the next host", () => {
  using sample = new SampleRegion();
  const snapshot = new Snapshot();
  const after = (host: number, n?: number) => {
    const { regions: [region], looks } = found(sample, host);
    const guests = region.report.guests.map((guest): GuestReport => {
      return { ...guest, counted: n === undefined ? {} : { n } };
    });
    snapshot.update([{ ...region, report: { ...region.report, guests } }], looks, 0);
    return Number(/guest_counted_total\{.*\} (\d+)/.exec(textOf(snapshot))?.[1]);
  };
  deepEqual([after(1, 5), after(2), after(2, 5), after(2, 7), after(3, 2)], [5, NaN, 5, 7, 9]);
});

Deno.test("all reasons for drops are told", () => {
  using sample = new SampleRegion();
  const snapshot = new Snapshot();
  const { regions, looks } = found(sample);
  snapshot.update(regions, looks, 0);
  equal(textOf(snapshot).match(/reason="/g)!.length, DROPS.length);
});

Deno.test("PlotHistory remembers ten minutes, and what came and went in them", () => {
  using sample = new SampleRegion();
  const { regions } = found(sample);
  const history = new PlotHistory();
  for (let second = 1; second <= 700; second++) {
    history.add(second > 650 && second < 680 ? [] : regions, second);
  }
  const { times, series } = history.after(0);
  deepEqual([times.length, times[0], times.at(-1)], [600, 101, 700]);
  deepEqual(series.map(({ kind, label }) => [kind, label]), [
    ["port", "r0 g0.p0 tap0"],
    ["region", "r0"],
  ]);
  const mbufs = series[1].values.mbufs;
  deepEqual([mbufs.length, mbufs[549], mbufs[550], mbufs[599]], [600, 25, null, 25]);
  deepEqual(history.after(699).times, [700]);
  deepEqual(history.after(700).series[0].values.rx, []);
  for (let second = 701; second <= 1400; second++) history.add([], second);
  deepEqual(history.after(0).series, []);
});
