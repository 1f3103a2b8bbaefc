import { deepEqual, equal } from "node:assert/strict";
import { decodeRegion } from "../../app/inspect/decode.ts";
import { figuresOf } from "../../app/inspect/figures.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { SampleRegion } from "./sample_region.ts";

/** What a look finds in a region after its port has counted so. */
function look(sample: SampleRegion, counts: Partial<Record<keyof typeof COUNTER, number>>) {
  for (const [name, value] of Object.entries(counts)) {
    sample.count(COUNTER[name as keyof typeof COUNTER], value);
  }
  return { name: "r0", run: "1", report: decodeRegion(sample.memory) };
}

Deno.test("figuresOf() tells rates by the host's own clock: frames, bits on the wire, drops by reason", () => {
  using sample = new SampleRegion();
  const before = look(sample, { RX: 1000, RX_BYTES: 60_000, RING_FULL: 10, SHOWN_MS: 5000 });
  const now = look(sample, { RX: 3000, RX_BYTES: 180_000, RING_FULL: 60, SHOWN_MS: 7000 });
  const [{ rx, tx, drops, dropped, name, guest, number }] = figuresOf(now, before).ports;
  deepEqual([guest, number, name], ["g0", 0, "tap0"]);
  deepEqual(rx, { frames: 3000, bytes: 180_000, frameRate: 1000, bitRate: 1000 * (60 + 24) * 8 });
  equal(tx.frameRate, 0);
  deepEqual(drops.map(({ label, frames, frameRate }) => [label, frames, frameRate]), [
    ["ring_full", 60, 25],
  ]);
  deepEqual(dropped, { frames: 60, frameRate: 25 });
});

Deno.test("figuresOf() tells how full bursts and rings are, and how busy an lcore was", () => {
  using sample = new SampleRegion();
  const before = look(sample, { BURST: 32, CORE: 3, LCORE_NS: 1e9, IDLE_NS: 5e8, SHOWN_MS: 1 });
  const now = look(sample, {
    RX: 320,
    RX_BURSTS: 20,
    LCORE_NS: 2e9,
    IDLE_NS: 7.5e8,
    SHOWN_MS: 1001,
  });
  const { ports: [{ rx, tx, cores, rings }], lcores, mbufs } = figuresOf(now, before);
  deepEqual([rx.burstFill, tx.burstFill, cores], [0.5, undefined, [2]]);
  deepEqual(lcores, [{ core: 2, seconds: 2, idleSeconds: 0.75, busy: 0.75 }]);
  deepEqual(mbufs, { free: 75, total: 100 });
  deepEqual(rings.rx, { used: 0, slots: 64 });
});

Deno.test("figuresOf() tells no rates across two hosts, whose counters begin at 0", () => {
  using sample = new SampleRegion();
  const before = look(sample, { RX: 1000, SHOWN_MS: 5000, CORE: 1, LCORE_NS: 1e9 });
  const now = { ...look(sample, { RX: 2000, SHOWN_MS: 6000, LCORE_NS: 2e9 }), run: "2" };
  const { ports: [{ rx }], lcores: [{ busy }] } = figuresOf(now, before);
  deepEqual([rx.frames, rx.frameRate, busy], [2000, 0, undefined]);
  equal(figuresOf(now).ports[0].rx.frameRate, 0);
});
