import { deepEqual, equal, match, throws } from "node:assert/strict";
import { Chain, type OnError } from "../../app/guest/function/chain.ts";
import { FunctionContext } from "../../app/guest/function/context.ts";
import { Progress } from "../../app/guest/function/progress.ts";
import { readCounters } from "../../app/channel/function_counters.ts";
import type { FrameFunction } from "../../app/guest/function/function_module.ts";
import { GUEST_COUNTER } from "../../app/guest/virtual_port.ts";
import { GuestLab, someFrame } from "./guest_lab.ts";

const FRAMES = Array.from({ length: 6 }, (_, i) => someFrame(60, i));

/** Send six frames through some functions in a row. */
function through(
  lab: GuestLab,
  functions: readonly FrameFunction[],
  { onError = "drop" as OnError, log = (_: string) => {}, clock = () => 1e9 } = {},
): Uint8Array[] {
  const links = functions.map((run, i) => {
    const context = new FunctionContext(lab.handles, 0, 1, {}, lab.counted, log, clock);
    return { name: `f${i}`, context, run };
  });
  const chain = new Chain(links, false, onError, log);
  lab.lend(FRAMES);
  lab.lane().turn(chain);
  for (const output of lab.outputs) output?.flush();
  return lab.sent();
}

Deno.test("Chain gives each function what the one before has kept, in order", () => {
  using lab = new GuestLab();
  const seen: number[] = [];
  const dropOdd: FrameFunction = (burst) => {
    for (let i = 0; i < burst.count; i++) if (burst.u8(i, 20) % 2 === 1) burst.drop(i);
  };
  const parity = FRAMES.map((frame) => frame[20] % 2);
  const sent = through(lab, [dropOdd, ({ count }) => seen.push(count), dropOdd]);
  deepEqual(sent, FRAMES.filter((_, i) => parity[i] === 0));
  deepEqual(seen, [sent.length]);
});

Deno.test("Chain without a function forwards frames as they are", () => {
  using lab = new GuestLab();
  deepEqual(through(lab, []), FRAMES);
});

const broken: FrameFunction = (burst) => {
  burst.drop(0);
  burst.u8(1, 60);
};

for (const [onError, sent, failed] of [["drop", 0, 6], ["pass", 6, 0]] as const) {
  Deno.test(`Chain whose function throws lets its burst ${onError}, and says where that was`, () => {
    using lab = new GuestLab();
    const lines: string[] = [];
    equal(through(lab, [broken], { onError, log: (line) => lines.push(line) }).length, sent);
    equal(lab.counters[0][GUEST_COUNTER.FAILED], failed);
    equal(lab.givenBack().length, 6 - sent);
    equal(lines.length, 1);
    match(
      lines[0],
      /^function f0 has thrown: Cannot use 1 byte at offset 60 of frame 1 .*chain_test\.ts:\d+/,
    );
    equal(through(lab, [(burst) => burst.drop(0)]).length, 5, "and the next burst is as ever");
  });
}

Deno.test("Chain whose function throws stops the guest if that is asked for", () => {
  using lab = new GuestLab();
  throws(() => through(lab, [broken], { onError: "stop" }), { name: "RangeError" });
});

Deno.test("Chain says once a second that a function throws, and how often it has", () => {
  using lab = new GuestLab();
  const lines: string[] = [];
  let now = 5e9;
  const log = (line: string) => lines.push(line);
  const context = new FunctionContext(lab.handles, 0, 1, {}, lab.counted, log, () => now);
  const chain = new Chain([{ name: "f", context, run: broken }], false, "drop", log);
  for (let turn = 0; turn < 30; turn++, now += 100e6) {
    lab.lend(FRAMES.slice(0, 2));
    lab.lane().turn(chain);
    lab.givenBack();
  }
  deepEqual(
    lines.map((line) => line.split(":")[0]),
    ["function f has thrown", "function f has thrown 10 times", "function f has thrown 10 times"],
  );
});

Deno.test("Context.every() calls work each time that so many milliseconds have passed", () => {
  using lab = new GuestLab();
  let now = 0;
  const context = new FunctionContext(
    lab.handles,
    0,
    1,
    {},
    lab.counted,
    () => {},
    () => now * 1e6,
  );
  const calls: number[] = [];
  context.every(10, () => calls.push(now));
  for (; now < 45; now += 3) context.tick(now);
  deepEqual(calls, [12, 21, 30, 42]);
  equal(context.now, 45);
  throws(() => context.every(0, () => {}), { name: "RangeError" });
});

Deno.test("Chain whose timer throws goes on, says where that was, and calls the other timers", () => {
  using lab = new GuestLab();
  const lines: string[] = [];
  let now = 0;
  const log = (line: string) => lines.push(line);
  const link = (name: string) => {
    const context = new FunctionContext(lab.handles, 0, 1, {}, lab.counted, log, () => now * 1e6);
    return { name, context, run: undefined };
  };
  const links = [link("calm"), link("broken"), link("next")];
  let calls = 0;
  for (const { context } of links.slice(1)) {
    context.every(10, () => {
      if (context === links[1].context) throw new Error("no such timer");
    });
    context.every(10, () => calls++);
  }
  const progress = new Progress();
  const chain = new Chain(links, false, "drop", log, progress);
  for (now = 100; now <= 1200; now += 100) chain.tick(now);
  equal(calls, 24);
  equal(chain.failures, 12);
  deepEqual(chain.thrown, chain.firstFailure!.error);
  match(lines[0], /^function broken has thrown: no such timer at .*chain_test\.ts:\d+:\d+/);
  match(lines[1], /^function broken has thrown 10 times: no such timer at /);
  equal(lines.length, 2);
  deepEqual([progress.hasBegun, progress.atWork], [false, undefined]);
  const stopping = new Chain(links, false, "stop", log);
  throws(() => stopping.tick(now + 100), { message: "no such timer" });
});

Deno.test("Chain tells which function's timer is at work", () => {
  using lab = new GuestLab();
  const progress = new Progress();
  let atWork: number | undefined;
  const links = [0, 1].map((i) => {
    const context = new FunctionContext(lab.handles, 0, 1, {}, lab.counted, () => {}, () => 0);
    if (i === 1) context.every(10, () => atWork = progress.atWork);
    return { name: `f${i}`, context, run: undefined };
  });
  const { calls } = progress;
  new Chain(links, false, "drop", () => {}, progress).tick(20);
  equal(atWork, 1);
  equal(progress.calls - calls, 1);
});

Deno.test("Context.counter() counts by name, and the names are seen from outside", () => {
  using lab = new GuestLab();
  const context = new FunctionContext(lab.handles, 0, 1, {}, lab.counted, () => {});
  context.counter("SYNs").add();
  context.counter("bytes").add(1500);
  context.counter("SYNs").add(2);
  equal(context.counter("SYNs").value, 3);
  const read = () => Object.fromEntries(readCounters(new Uint8Array(lab.counted.buffer)));
  deepEqual(read(), { SYNs: 3, bytes: 1500 });
  for (let i = 0; i < 20; i++) context.counter(`c${i}`).add();
  equal(Object.keys(read()).length, 16);
  equal(read().others, 7);
});
