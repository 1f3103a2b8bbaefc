import { equal, rejects, throws } from "node:assert/strict";
import type { Host } from "../../app/host/host.ts";
import { HostControl } from "../../app/host/host_control.ts";
import type { HostOptions } from "../../app/host/host_options.ts";

const OPTIONS = { burst: 32 } as HostOptions;

Deno.test("HostControl wakes the host for a change, and tells when frames flow again", async () => {
  const control = new HostControl();
  throws(() => control.options, /it is starting/);
  let woken = 0;
  control.begin({} as Host, OPTIONS, () => woken++);
  equal(control.options, OPTIONS);
  equal(control.wanted === undefined, true);
  const changed = control.change({ ...OPTIONS, burst: 8 });
  equal(woken, 1);
  equal(control.wanted?.options.burst, 8);
  throws(() => control.change(OPTIONS), /another change is under way/);
  const change = control.take()!;
  equal(control.wanted === undefined, true, "the host that follows is not to stop for it again");
  throws(() => control.change(OPTIONS), /another change is under way/);
  change.done();
  equal(await changed >= 0, true);
  const next = control.change(OPTIONS);
  control.take()!.failed(new Error("no"));
  await rejects(next, /no/);
  const last = control.change(OPTIONS);
  control.end();
  await rejects(last, /as it ends/);
  throws(() => control.change(OPTIONS), /as it ends/);
});
