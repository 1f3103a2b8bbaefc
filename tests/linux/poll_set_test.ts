import { deepEqual, equal, ok } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { PollSet, READABLE, WRITABLE } from "../../app/linux/poll_set.ts";
import { OpenFiles } from "../ffi/open_files.ts";
import { pause } from "../kit/wait.ts";

Deno.test("PollSet tells what has happened, at the place of each", async () => {
  using files = new OpenFiles();
  const fds = Array.from({ length: 200 }, () => files.add(shim.shim_eventfd()));
  const poll = new PollSet();
  const places = fds.map((fd) => poll.add(fd, READABLE));
  shim.shim_eventfd_signal(fds[3]);
  shim.shim_eventfd_signal(fds[150]);
  await poll.wait(Infinity);
  deepEqual(places.filter((place) => poll.happened(place)), [3, 150]);
  poll.clear();
  const [quiet, writable] = [poll.add(fds[0], READABLE), poll.add(fds[0], WRITABLE)];
  await poll.wait(Infinity);
  deepEqual([poll.happened(quiet), poll.happened(writable)], [false, true]);
});

Deno.test("PollSet waits as long as it is told, in fractions of milliseconds too", async () => {
  const poll = new PollSet();
  const start = performance.now();
  await poll.wait(20.5);
  const elapsed = performance.now() - start;
  ok(elapsed >= 20.5 && elapsed < 2000, `${elapsed} ms`);
  await poll.wait(0);
  await poll.wait(-5);
});

Deno.test("PollSet leaves the main thread free meanwhile", async () => {
  using files = new OpenFiles();
  const eventfd = files.add(shim.shim_eventfd());
  const poll = new PollSet();
  poll.add(eventfd, READABLE);
  let turns = 0;
  const waiting = poll.wait(Infinity).then(() => -1);
  while (turns >= 0 && turns < 5) {
    turns = await Promise.race([
      waiting,
      pause(5).then(() => turns + 1),
    ]);
  }
  equal(turns, 5);
  shim.shim_eventfd_signal(eventfd);
  equal(await waiting, -1);
});

Deno.test("PollSet never looks at the descriptor -1", async () => {
  const poll = new PollSet();
  const place = poll.add(-1, READABLE);
  await poll.wait(1);
  equal(poll.happened(place), false);
});
