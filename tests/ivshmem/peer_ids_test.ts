import { deepEqual, equal } from "node:assert/strict";
import { PeerIds } from "../../app/ivshmem/peer_ids.ts";

const NOBODY = Infinity;

Deno.test("PeerIds begins at 0, and gives 65,536 ids", () => {
  const ids = new PeerIds();
  for (let id = 0; id < 65536; id++) equal(ids.take(0), id);
  equal(ids.take(NOBODY), undefined);
});

Deno.test("PeerIds gives a used id only when none is new, the one that is free for longest first", () => {
  const ids = new PeerIds(4);
  equal(ids.take(NOBODY), 0);
  ids.retire(0, 2);
  deepEqual([3, 4, 5].map((at) => ids.take(at)), [1, 2, 3]);
  ids.retire(2, 6);
  ids.retire(1, 7);
  deepEqual([8, 9, 10, 11].map((at) => ids.take(at)), [0, 2, 1, undefined]);
});

Deno.test("PeerIds gives no id again while a member is there that saw its owner leave", () => {
  const ids = new PeerIds(3);
  for (const at of [1, 2, 3]) ids.take(at);
  ids.retire(1, 4);
  for (const oldest of [1, 3]) equal(ids.take(oldest), undefined);
  ids.retire(2, 6);
  equal(ids.take(5), 1, "the oldest came after that one had left");
  equal(ids.take(5), undefined);
  equal(ids.take(7), 2);
});

Deno.test("PeerIds of a server that takes another's place begins above those that were given", () => {
  const ids = new PeerIds(4, 2);
  deepEqual([1, 2].map((at) => ids.take(at)), [2, 3]);
  deepEqual([3, 4, 5].map((at) => ids.take(at)), [0, 1, undefined], "these only in the end");
});
