import { deepEqual, equal } from "node:assert/strict";
import { PeerIds } from "../../app/ivshmem/peer_ids.ts";

Deno.test("PeerIds begins at 0, and gives 65,536 ids", () => {
  const ids = new PeerIds();
  for (let id = 0; id < 65536; id++) equal(ids.take(), id);
  equal(ids.take(), undefined);
});

Deno.test("PeerIds gives a used id only when none is new, the one that is free for longest first", () => {
  const ids = new PeerIds(4);
  equal(ids.take(), 0);
  ids.retire(0, 0);
  deepEqual([ids.take(), ids.take(), ids.take()], [1, 2, 3]);
  ids.retire(2, 0);
  ids.retire(1, 0);
  deepEqual([ids.take(), ids.take(), ids.take(), ids.take()], [0, 2, 1, undefined]);
});

Deno.test("PeerIds gives no id again before the last who knew its owner has been told", () => {
  const ids = new PeerIds(2);
  ids.take();
  ids.take();
  ids.retire(0, 2);
  equal(ids.take(), undefined);
  ids.told(0);
  equal(ids.take(), undefined);
  ids.told(1); // it has not retired: means nothing
  equal(ids.take(), undefined);
  ids.told(0);
  equal(ids.take(), 0);
  equal(ids.take(), undefined);
});
