import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { type Alarm, Idle } from "../../app/lcore/idle.ts";
import { readKernelFile } from "../../app/linux/kernel_file.ts";
import { OpenFiles } from "../ffi/open_files.ts";

/** How often this thread has gone to sleep. */
function sleeps(): number {
  return Number(
    /^voluntary_ctxt_switches:\s+(\d+)/m.exec(readKernelFile("/proc/thread-self/status"))![1],
  );
}

/** How often this thread sleeps, and for how many milliseconds, in so many turns without frames. */
function measure(idle: Idle, turns: number): { slept: number; milliseconds: number } {
  const before = sleeps();
  const start = shim.shim_clock();
  for (let turn = 0; turn < turns; turn++) idle.wait();
  const milliseconds = (shim.shim_clock() - start) / 1e6;
  return { slept: sleeps() - before, milliseconds };
}

/** The shortest of five such measurements in milliseconds: other programs may delay some. */
function quickest(idle: Idle, turns: number): number {
  return Math.min(...Array.from({ length: 5 }, () => measure(idle, turns).milliseconds));
}

/** Let it spin for as long as it ever does, and longer; it looks at the clock in each 32nd turn. */
function spin(idle: Idle): void {
  const start = shim.shim_clock();
  for (let turn = 0; turn < 64 || shim.shim_clock() - start < 250_000; turn++) idle.wait();
}

/** An idle strategy that sleeps as long as it ever does. */
function tired(fds: number[]): Idle {
  const idle = new Idle("sleep");
  idle.watch(fds);
  for (let turn = 0; turn < 8; turn++) idle.wait();
  return idle;
}

Deno.test("Idle that polls never sleeps, however long there is nothing to do", () => {
  const idle = new Idle("poll");
  idle.watch([]);
  const { slept } = measure(idle, 40_000);
  ok(slept < 5, `slept ${slept} times`);
});

Deno.test("Idle that adapts does not sleep at first", () => {
  let now = 0;
  const { slept } = measure(new Idle("adaptive", undefined, () => now += 1000), 30);
  ok(slept < 3, `slept ${slept} times`);
});

/** An alarm that notes what is asked of it. */
class NotingAlarm implements Alarm {
  readonly notes: string[] = [];
  readonly fds: number[];
  hasPeers = true;
  constructor(fd: number, public work: boolean, public canNotify = true) {
    this.fds = [fd];
  }
  raise(): void {
    this.notes.push("raise");
  }
  lower(): void {
    this.notes.push("lower");
  }
  hasWork(): boolean {
    this.notes.push("look");
    return this.work;
  }
}

/** An idle strategy that adapts, by a clock that goes on by a microsecond a look. */
class Adaptive {
  /** Nanoseconds more that pass from one look to the next. */
  slower = 0;
  #now = 0;
  readonly #alarm = new NotingAlarm(-1, true);
  readonly #idle = new Idle("adaptive", this.#alarm, () => this.#now += 1000 + this.slower);

  /** Work comes, so many nanoseconds after there was none. */
  workAfter(nanoseconds: number): void {
    this.#idle.wait();
    this.#now += nanoseconds;
    this.#idle.reset();
  }

  /** Turns without work until it would sleep. */
  spin(): number {
    this.#alarm.notes.length = 0;
    let turns = 0;
    for (; this.#alarm.notes.length === 0 && turns < 10_000; turns++) this.#idle.wait();
    this.#idle.reset();
    return turns;
  }
}

Deno.test("Idle that adapts spins as long as that takes little of its time, or work comes soon", () => {
  const idle = new Adaptive();
  ok(idle.spin() > 100, "at first");
  for (let i = 0; i < 1000; i++) idle.workAfter(150_000);
  ok(idle.spin() > 100, "as work comes soon");
  for (let i = 0; i < 1000; i++) {
    idle.workAfter(20e6);
    idle.workAfter(50_000);
  }
  ok(idle.spin() > 100, "though some of it comes late");
  for (let i = 0; i < 15; i++) idle.workAfter(1e6);
  ok(idle.spin() <= 2, "as spins that nothing came of have taken too much of the time");
  idle.workAfter(20e6);
  ok(idle.spin() > 100, "and again later");
});

Deno.test("Idle that adapts sleeps as soon as another thread has taken the core that it offers", () => {
  const idle = new Adaptive();
  for (let i = 0; i < 5; i++) idle.workAfter(150_000);
  idle.slower = 10_000;
  ok(idle.spin() <= 34, "at the first offer, which is not made at once");
  ok(idle.spin() <= 2, "and at once, as long as spins do not pay");
});

Deno.test("Idle tells how long there was nothing to do", () => {
  let now = 1e9;
  const idle = new Idle("sleep", new NotingAlarm(-1, true), () => now);
  for (let i = 0; i < 2; i++) {
    now += 500;
    idle.wait();
    now += 300;
    idle.wait();
    equal(idle.nanosecondsUntil(now), 300 + 400 * i);
    now += 100;
    idle.reset();
    idle.reset();
    now += 5000;
    equal(idle.nanosecondsUntil(now), 400 + 400 * i);
  }
});

Deno.test("Idle without an alarm naps once it has spun for a while, up to 1 ms", () => {
  const idle = new Idle("adaptive");
  spin(idle);
  const first = measure(idle, 20);
  ok(first.slept >= 3, `slept ${first.slept} times`);
  const later = quickest(idle, 30);
  ok(later >= 30 && later < 300, `${later} ms`);
});

Deno.test("Idle.reset() makes it nap 50 us again", () => {
  const idle = tired([]);
  let shortest = Infinity;
  for (let i = 0; i < 10; i++) {
    idle.reset();
    shortest = Math.min(shortest, measure(idle, 3).milliseconds); // two naps at least
  }
  ok(shortest >= 0.15 && shortest < 15, `${shortest} ms`);
});

Deno.test("Idle wakes on any descriptor that it watches, and sleeps again when that is drained", () => {
  using files = new OpenFiles();
  const fds = [files.add(shim.shim_eventfd()), files.add(shim.shim_eventfd())];
  const idle = tired(fds);
  for (const fd of fds) {
    shim.shim_eventfd_signal(fd);
    const awake = quickest(idle, 50);
    ok(awake < 25, `${awake} ms`);
    equal(shim.shim_eventfd_drain(fd), 1);
    const asleep = measure(idle, 10);
    ok(asleep.milliseconds >= 10, `${asleep.milliseconds} ms`);
  }
});

Deno.test("Idle.watch() forgets the descriptors of before", () => {
  using files = new OpenFiles();
  const fd = files.add(shim.shim_eventfd());
  const idle = tired([fd]);
  shim.shim_eventfd_signal(fd);
  idle.watch([]);
  const { milliseconds } = measure(idle, 10);
  ok(milliseconds >= 10, `${milliseconds} ms`);
});

Deno.test("Idle that sleeps does so at once", () => {
  const idle = new Idle("sleep");
  const { slept } = measure(idle, 5);
  ok(slept >= 5, `slept ${slept} times`);
});

Deno.test("Idle with an alarm raises its flag, looks once more, and does not sleep if there is work", () => {
  using files = new OpenFiles();
  const alarm = new NotingAlarm(files.add(shim.shim_eventfd()), true);
  const idle = new Idle("sleep", alarm);
  idle.wait();
  deepEqual(alarm.notes, ["raise", "look", "lower"]);
  const milliseconds = quickest(idle, 1);
  ok(milliseconds < 80, `${milliseconds} ms`);
});

Deno.test("Idle with an alarm sleeps until it rings, 0.25 s at most, and drains it", () => {
  using files = new OpenFiles();
  const fd = files.add(shim.shim_eventfd());
  const idle = new Idle("sleep", new NotingAlarm(fd, false));
  const undisturbed = measure(idle, 1);
  ok(undisturbed.milliseconds >= 245, `${undisturbed.milliseconds} ms`);
  let shortest = Infinity;
  for (let i = 0; i < 5; i++) {
    shim.shim_eventfd_signal(fd);
    shortest = Math.min(shortest, measure(idle, 1).milliseconds);
    equal(shim.shim_eventfd_drain(fd), 0);
  }
  ok(shortest < 50, `${shortest} ms`);
});

Deno.test("Idle naps while its alarm does not ring for all, and sleeps once it does", () => {
  using files = new OpenFiles();
  const alarm = new NotingAlarm(files.add(shim.shim_eventfd()), false, false);
  const idle = new Idle("sleep", alarm);
  const naps = quickest(idle, 10);
  ok(naps < 80, `${naps} ms`);
  deepEqual(alarm.notes, []);
  alarm.canNotify = true;
  ok(measure(idle, 1).milliseconds >= 95);
});

Deno.test("Idle whose alarm rings for nothing, again and again, naps and does not hear it", () => {
  using files = new OpenFiles();
  const fd = files.add(shim.shim_eventfd());
  const alarm = new NotingAlarm(fd, false);
  const idle = new Idle("sleep", alarm);
  const storm = (turns: number) => {
    const start = performance.now();
    for (let turn = 0; turn < turns; turn++) {
      shim.shim_eventfd_signal(fd);
      idle.wait();
    }
    return performance.now() - start;
  };
  storm(66);
  equal(idle.falseAlarms, 65);
  alarm.notes.length = 0;
  const naps = storm(100);
  ok(naps >= 80, `${naps} ms for 100 naps`);
  deepEqual(alarm.notes, [], "it does not ask to be rung");
  storm(1);
  deepEqual(alarm.notes, ["raise", "look", "lower"], "then it listens again");
});

Deno.test("Idle whose alarm rings for work goes on to hear it", () => {
  using files = new OpenFiles();
  const fd = files.add(shim.shim_eventfd());
  const idle = new Idle("sleep", new NotingAlarm(fd, false));
  for (let turn = 0; turn < 300; turn++) {
    shim.shim_eventfd_signal(fd);
    idle.wait();
    idle.reset();
  }
  equal(idle.falseAlarms, 0);
  equal(shim.shim_eventfd_drain(fd), 0);
});

Deno.test("Idle that naps as its alarm does not ring for all sleeps on, though somebody rings", () => {
  using files = new OpenFiles();
  const fd = files.add(shim.shim_eventfd());
  const idle = new Idle("sleep", new NotingAlarm(fd, false, false));
  shim.shim_eventfd_signal(fd);
  const { milliseconds } = measure(idle, 20);
  ok(milliseconds >= 10, `${milliseconds} ms`);
});

Deno.test("Idle whose alarm has no peers takes naps of 25 ms in the end", () => {
  using files = new OpenFiles();
  const alarm = new NotingAlarm(files.add(shim.shim_eventfd()), false, false);
  alarm.hasPeers = false;
  const idle = new Idle("sleep", alarm);
  measure(idle, 12);
  const { milliseconds } = measure(idle, 2);
  ok(milliseconds >= 49, `${milliseconds} ms`);
});

Deno.test("Idle refuses more descriptors than can be slept on, rather than not to sleep", () => {
  const idle = new Idle("sleep");
  idle.watch(Array.from({ length: 2000 }, () => 0));
  throws(() => idle.wait(), /^ShimError: Cannot sleep on 2000 descriptors/);
});

Deno.test("Idle.looksOn is true but in each 32nd turn, and until it would sleep", () => {
  const looks = (mode: "poll" | "sleep") => {
    const idle = new Idle(mode, new NotingAlarm(-1, true), () => 0, 0);
    return Array.from({ length: 66 }, (_, turn) => {
      const isLooking = idle.looksOn;
      idle.wait();
      return isLooking ? [] : turn;
    }).flat();
  };
  deepEqual(looks("poll"), [0, 32, 64]);
  equal(looks("sleep").length, 66);
});
