import { equal } from "node:assert/strict";
import { HeartbeatWatch } from "../../app/channel/heartbeat_watch.ts";

Deno.test("HeartbeatWatch.silence() is the time since the count last changed", () => {
  const watch = new HeartbeatWatch(7, 1000);
  equal(watch.silence(7, 1500), 500);
  equal(watch.silence(8, 2000), 0);
  equal(watch.silence(8, 2300), 300);
  equal(watch.silence(7, 2400), 0, "any other count will do");
});
