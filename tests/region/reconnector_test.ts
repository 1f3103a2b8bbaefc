import { deepEqual, equal } from "node:assert/strict";
import { Reconnector } from "../../app/region/reconnector.ts";
import type { ServerStarter } from "../../app/region/server_starter.ts";
import { FakePeer } from "../ivshmem/fake_peer.ts";

// That it finds a server again, and refuses one of other memory, is tested with processes: see
// tests/system/reconnector_test.ts.

Deno.test("Reconnector has a server started that gives ids above all that were given, and again if it does not come", () => {
  const started: number[] = [];
  const starter = { start: (firstId: number) => started.push(firstId) } as unknown as ServerStarter;
  const reconnector = new Reconnector("/tmp/culvert-no-such-socket", () => {}, starter);
  const last = new FakePeer(3);
  last.joins(7);
  for (let now = 0; now <= 20_000; now += 50) equal(reconnector.attempt(last.peer, now), undefined);
  deepEqual(started, [8, 8, 8]);
  last.close();
});

Deno.test("Reconnector begins with 0 again before the ids are used up", () => {
  const started: number[] = [];
  const starter = { start: (firstId: number) => started.push(firstId) } as unknown as ServerStarter;
  const reconnector = new Reconnector("/tmp/culvert-no-such-socket", () => {}, starter);
  const last = new FakePeer(40_000);
  reconnector.attempt(last.peer, 0);
  deepEqual(started, [0]);
  last.close();
});
