import { deepEqual, equal, ok } from "node:assert/strict";
import { HEADROOM_BYTES } from "../../app/memory/layout.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { NullPort } from "../../app/port/null_port.ts";
import { PortLab } from "./port_lab.ts";
import { Burst } from "../../app/ring/burst.ts";
import { burstOf } from "../kit/burst_of.ts";

Deno.test("NullPort.rxBurst() makes as many frames as one asks for, of the length told", () => {
  using lab = new PortLab(64);
  const port = new NullPort("null:1500", 1500, lab);
  const burst = burstOf(new Uint32Array(2 * 33).fill(0xeeeeeeee));
  equal(port.rxBurst(burst, 32), 32);
  for (let i = 0; i < 32; i++) equal(burst.words[2 * i + 1], dataWord(HEADROOM_BYTES, 1500));
  deepEqual([...burst.words.subarray(64)], [0xeeeeeeee, 0xeeeeeeee]);
  equal(lab.mempool.available, 32);
  equal(lab.counters[COUNTER.RX], 32);
  equal(lab.counters[COUNTER.RX_BYTES], 32 * 1500);
});

Deno.test("NullPort.rxBurst() makes no more frames than there are mbufs", () => {
  using lab = new PortLab(20);
  const port = new NullPort("null", 64, lab);
  const burst = Burst.of(32);
  equal(port.rxBurst(burst, 32), 20);
  equal(port.rxBurst(burst, 32), 0);
  equal(lab.counters[COUNTER.RX], 20);
});

Deno.test("NullPort of 0 bytes receives nothing, and takes no mbuf", () => {
  using lab = new PortLab(64);
  equal(new NullPort("null:0", 0, lab).rxBurst(Burst.of(32), 32), 0);
  equal(lab.mempool.available, 64);
  equal(lab.counters[COUNTER.RX], 0);
});

Deno.test("NullPort.txBurst() takes all, counts their bytes and frees their mbufs", () => {
  using lab = new PortLab(64);
  const port = new NullPort("null", 64, lab);
  const burst = Burst.of(32);
  equal(port.rxBurst(burst, 5), 5);
  for (let i = 0; i < 5; i++) burst.words[2 * i + 1] = dataWord(100, 60 + i);
  burst.words.fill(0xeeeeeeee, 10);
  equal(port.txBurst(burst, 5), 5);
  equal(lab.counters[COUNTER.TX], 5);
  equal(lab.counters[COUNTER.TX_BYTES], 60 + 61 + 62 + 63 + 64);
  lab.checkAllFree();
});

Deno.test("NullPort has no kernel side: it is up, and nothing to poll or to close", () => {
  using lab = new PortLab(64);
  const port = new NullPort("null:64", 64, lab);
  port.refresh();
  port.close();
  ok(port.isUp);
  deepEqual(port.pollable, []);
  equal(port.name, "null:64");
  ok(lab.counters.every((n) => n === 0));
});
