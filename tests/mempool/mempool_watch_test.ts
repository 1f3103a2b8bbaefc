import { deepEqual, equal } from "node:assert/strict";
import { MempoolWatch } from "../../app/mempool/mempool_watch.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";

Deno.test("MempoolWatch tells who allocated or freed an mbuf last, and how often it was allocated", () => {
  const watch = MempoolWatch.create(2);
  const [rx, tx] = [watch.addUser("rx"), watch.addUser("tx")];
  const seen = () => {
    const { state, user, times } = watch.look(1);
    return [state, user, times];
  };
  deepEqual(seen(), ["free", "nobody", 0]);
  equal(watch.allocate(1, rx), true);
  deepEqual(seen(), ["allocated", "rx", 1]);
  equal(watch.allocate(1, tx), false);
  deepEqual(seen(), ["allocated", "rx", 1]);
  equal(watch.free(1, tx), true);
  deepEqual(seen(), ["free", "tx", 1]);
  equal(watch.free(1, rx), false);
  deepEqual(seen(), ["free", "tx", 1]);
  watch.seize(1, rx);
  deepEqual(seen(), ["allocated", "rx", 2]);
  deepEqual(watch.look(0).user, "nobody");
  new MappedMemory(watch.handle.memory).close();
});
