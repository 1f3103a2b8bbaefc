import { equal, ok } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { Doorbell, SleepFlag } from "../../app/channel/sleep_flag.ts";
import { GuestAlarm } from "../../app/guest/guest_alarm.ts";
import { SLEEP } from "../../app/memory/layout.ts";
import { COMMAND } from "../../app/lcore/command.ts";
import { usableCores } from "../../app/linux/core_list.ts";
import { LcoreWorker } from "../../app/lcore/lcore.ts";
import type { GuestLcoreHandle } from "../../app/guest/guest_lcore.ts";
import { OpenFiles } from "../ffi/open_files.ts";
import { freshCommand } from "../lcore/fresh_command.ts";
import { GuestLab, lcoreParts, preparationOf, someFrame } from "./guest_lab.ts";
import { until } from "../kit/wait.ts";

const WORKER = new URL("../../app/guest/lcore_worker.ts", import.meta.url);

Deno.test("GuestAlarm raises the flag of each channel that its lanes receive from", () => {
  using lab = new GuestLab({ ports: 2 });
  const alarm = new GuestAlarm(lab.memory, [], { fd: 5, vector: 3 });
  lab.host.forEach((_, port) => alarm.add(lab.lane(port)));
  const asleep = () => lab.host.map(({ guestSleepWord }) => lab.memory.load(guestSleepWord) & 1);
  equal(asleep().join(), "0,0");
  alarm.raise();
  equal(asleep().join(), "1,1");
  for (const { guestSleepWord } of lab.host) {
    equal(lab.memory.load(guestSleepWord + SLEEP.VECTOR), 3 + 1);
  }
  alarm.lower();
  equal(asleep().join(), "0,0");
});

Deno.test("GuestAlarm sees work in received frames, lent mbufs and frames not yet sent", () => {
  using lab = new GuestLab({ ports: 2 });
  const lanes = [lab.lane(0, 1), lab.lane(1, 0)];
  const outputs = lanes.map(({ out }) => out);
  const alarm = new GuestAlarm(lab.memory, outputs, { fd: 5, vector: 0 });
  lanes.forEach((lane) => alarm.add(lane));
  equal(alarm.hasWork(), false);
  const burst = lab.burst([someFrame(60)]);
  lab.lend([someFrame(60)], 1);
  equal(alarm.hasWork(), true);
  equal(lanes[1].from.rxBurst(burst, 32), 1);
  equal(alarm.hasWork(), false);
  lanes[1].out.add(burst, 1);
  equal(alarm.hasWork(), true);
  lanes[1].out.flush();
  equal(alarm.hasWork(), false);
  lab.host[0].lend.enqueueBurst(burst, 1);
  equal(alarm.hasWork(), true);
});

Deno.test("GuestAlarm without an eventfd never rings, and says so to the host", () => {
  using lab = new GuestLab();
  const alarm = new GuestAlarm(lab.memory, []);
  alarm.add(lab.lane());
  equal(alarm.canNotify, false);
  equal(lab.memory.load(lab.host[0].guestSleepWord + SLEEP.VECTOR), 0);
});

/** An lcore that sleeps at once, and what the test as its host needs to wake it and be woken. */
function sleepyGuest(lab: GuestLab, files: OpenFiles) {
  const [guestFd, hostFd] = [files.add(shim.shim_eventfd()), files.add(shim.shim_eventfd())];
  const [port] = lab.handles;
  const handle: GuestLcoreHandle = {
    ...lab.region,
    ...lcoreParts(lab),
    idle: "sleep",
    burst: 1,
    lcore: 0,
    isNotified: true,
    interrupts: { vectors: [guestFd], host: { eventfds: [hostFd] } },
    lanes: [{ from: port, to: port }],
  };
  const bell = new Doorbell(
    lab.memory,
    lab.host[0].guestSleepWord,
    () => shim.shim_eventfd_signal(guestFd) === 0,
  );
  return { handle, bell, hostFd };
}

Deno.test("a guest lcore that sleeps is woken by each frame, and wakes its host: no time-out is needed", async () => {
  using lab = new GuestLab();
  using files = new OpenFiles();
  using command = freshCommand();
  const { handle, bell, hostFd } = sleepyGuest(lab, files);
  const lcore = new LcoreWorker<GuestLcoreHandle>(
    WORKER,
    usableCores().at(-1)!,
  ).prepare(preparationOf("io")).run(
    command,
    handle,
  );
  const flag = new SleepFlag(lab.memory, lab.host[0].hostSleepWord, 0);
  const polled = Int32Array.of(hostFd);
  const isAsleep = () => (lab.memory.load(lab.host[0].guestSleepWord) & 1) === 1;
  await until(isAsleep, "it falls asleep");
  const times: number[] = [];
  let rung = 0;
  for (let i = 0; i < 300; i++) {
    const start = shim.shim_clock();
    flag.raise();
    lab.lend([someFrame(60, i)]);
    rung += bell.notify() ? 1 : 0;
    while (lab.host[0].tx.pending === 0 && shim.shim_clock() - start < 5e9) {
      shim.shim_poll(polled, 1, 1000_000);
      shim.shim_eventfd_drain(hostFd);
    }
    flag.lower();
    times.push((shim.shim_clock() - start) / 1e3);
    equal(lab.sent().length, 1, `frame ${i} came back`);
    if (i % 3 === 0) shim.shim_poll(polled, 0, 200); // let it fall asleep, or not
  }
  command.value = COMMAND.STOP;
  await lcore.done;
  times.sort((a, b) => a - b);
  const [median, late] = [times[150], times.filter((us) => us > 10_000).length];
  ok(rung > 100, `it was woken ${rung} times`);
  ok(median < 1000, `median ${median} us`);
  ok(late < 10, `${late} of 300 took more than 10 ms: were they woken by time?`);
});
