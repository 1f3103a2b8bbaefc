import { deepEqual, equal, match, notEqual, ok, throws } from "node:assert/strict";
import { HEADROOM_BYTES, MPMC, WATCH } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { CheckedMempool, type CheckedOptions } from "../../app/mempool/checked_mempool.ts";
import { MbufView } from "../../app/mempool/mbuf.ts";
import { auditMempool, dumpMempool } from "../../app/toolkit/mempool_audit.ts";
import { addMempool, attachMempool } from "../../app/toolkit/shared_mempool.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { Burst } from "../../app/ring/burst.ts";
import { burstOf } from "../kit/burst_of.ts";
import type { MempoolProblem } from "../../app/mempool/mempool_problem.ts";

/** A checked mempool of one test, and what it found. */
function checkedPool(total: number, options: CheckedOptions = {}) {
  const problems: MempoolProblem[] = [];
  const onProblem = (problem: MempoolProblem) => problems.push(problem);
  const pool = CheckedMempool.create(total, { cacheSize: 0, user: "rx", onProblem, ...options });
  const close = () => {
    for (const { memory } of [pool.handle, pool.handle.watch]) new MappedMemory(memory).close();
  };
  return { pool, problems, onProblem, [Symbol.dispose]: close };
}

/** A checked mempool in a region, its guards around the mbufs. */
function guardedPool(memory: MappedMemory, count = 4) {
  const problems: MempoolProblem[] = [];
  const onProblem = (problem: MempoolProblem) => problems.push(problem);
  const region = Region.build(memory, "r0");
  const options = { count, dataRoom: 256, debug: true, onProblem };
  const { pool, mbufs } = addMempool(region, "pool", { ...options, user: "rx" });
  ok(pool instanceof CheckedMempool);
  return { region, pool, mbufs, problems, onProblem };
}

Deno.test("CheckedMempool.free() reports what is free already, and who freed it", () => {
  using test = checkedPool(4);
  const tx = CheckedMempool.attach(test.pool.handle, {
    cacheSize: 0,
    user: "tx",
    onProblem: test.onProblem,
  });
  const burst = Burst.of(2);
  tx.allocBulk(burst, 2);
  tx.free(burst, 2);
  equal(test.problems.length, 0);
  tx.free(burst, 2);
  deepEqual(
    test.problems.map(({ kind, user, last }) => [kind, user, last?.user]),
    [["double free", "tx", "tx"], ["double free", "tx", "tx"]],
  );
  deepEqual(test.problems.map(({ index }) => index).sort(), [0, 1]);
  match(
    test.problems[0].message,
    /^Cannot free mbuf [01] as tx freed it \d\.\d{3} s ago, allocation 1 of it: .* \(found by tx\)$/,
  );
  equal(test.pool.available, 4, "it is not freed again");
  deepEqual(auditMempool(test.pool), []);
});

Deno.test("CheckedMempool throws the first problem, with all that is good done", () => {
  using test = checkedPool(4, { onProblem: undefined });
  const burst = Burst.of(3);
  test.pool.allocBulk(burst, 3);
  test.pool.free(burst, 1, 1);
  throws(() => test.pool.free(burst, 3), {
    name: "CulvertError",
    message: /^Cannot free mbuf 1 as rx freed it /,
  });
  equal(test.pool.available, 4);
  test.pool.allocBulk(burst, 1); // reported once
});

Deno.test("CheckedMempool.free() reports an index that does not exist", () => {
  using test = checkedPool(4);
  test.pool.free(burstOf([4, 128, 0xffffff, 128]), 2);
  deepEqual(
    test.problems.map(({ kind, index, last }) => [kind, index, last]),
    [4, 0xffffff].map((index) => ["foreign free", index, undefined]),
  );
  equal(test.pool.available, 4);
});

Deno.test("CheckedMempool.free() reports another mempool's mbuf, though it has one of that index", () => {
  using one = checkedPool(4);
  using two = checkedPool(4);
  const [a, b] = [Burst.of(1), Burst.of(1)];
  one.pool.allocBulk(a, 1);
  two.pool.allocBulk(b, 1);
  equal(a.words[0] & 0xffffff, b.words[0] & 0xffffff);
  two.pool.free(a, 1);
  equal(two.problems[0].kind, "foreign free");
  match(two.problems[0].message, /as it is of mempool number \d+, this is \d+: free it to the /);
  equal(two.pool.inUse, 1);
  one.pool.free(a, 1);
  deepEqual(one.problems, []);
});

Deno.test("CheckedMempool reports an mbuf that is given twice, and one that does not exist", () => {
  using test = checkedPool(2);
  const burst = Burst.of(2);
  test.pool.allocBulk(burst, 1);
  const { memory, offset } = test.pool.handle;
  const { u32 } = new MappedMemory(memory);
  const start = offset / 4 + MPMC.SLOTS;
  u32[start + 1] = burst.words[0] & 0xffffff;
  test.pool.allocBulk(burst, 1, 1);
  const [{ kind, last, message }] = test.problems;
  deepEqual([kind, last?.user, last?.times], ["given twice", "rx", 1]);
  match(message, /^Cannot allocate mbuf 0 as rx allocated it /);
  u32[start] = 1000;
  test.pool.free(burst, 1);
  u32[start] = 1000;
  test.pool.allocBulk(burst, 1);
  equal(test.problems.at(-1)?.index, 1000);
});

Deno.test("a shared mempool for debugging finds what is written behind its data room, and by whom", () => {
  using memory = freshMemory(1 << 20);
  const { region, pool, mbufs, problems, onProblem } = guardedPool(memory);
  region.publish();
  const attached = Region.attach(memory, "r0");
  const guest = attachMempool(attached, "pool", { user: "guest", onProblem });
  equal(mbufs.stride - mbufs.room, 64);
  ok(mbufs.room >= HEADROOM_BYTES + 256);
  const burst = Burst.of(4);
  pool.allocBulk(burst, 4);
  const view = new MbufView(mbufs);
  for (let i = 0; i < 4; i++) {
    view.moveTo(burst, i);
    ok(view.prepend(view.headroom) && view.append(view.tailroom), "the whole room may be written");
    view.bytes().fill(0xff);
  }
  guest.pool.free(burst, 4);
  equal(problems.length, 0);

  pool.allocBulk(burst, 4);
  for (let i = 0; i < 4; i++) equal(burst.words[2 * i] & 0xffffff, i);
  const byteOf = (index: number, byte: number) => mbufs.offset + index * mbufs.stride + byte;
  memory.u8.fill(0, byteOf(1, mbufs.room), byteOf(1, mbufs.room + 3));
  memory.u8[byteOf(0, -1)] ^= 1;
  memory.u8[byteOf(3, mbufs.room + 31)] ^= 1;
  guest.pool.free(burst, 4);
  deepEqual(
    problems.map(({ kind, index, user, last }) => [kind, index, user, last?.user, last?.times]),
    [
      ["underrun", 0, "guest", "rx", 2],
      ["overrun", 1, "guest", "rx", 2],
      ["overrun", 3, "guest", "rx", 2],
    ],
  );
  match(
    problems[1].message,
    new RegExp(`^Cannot vouch for mbuf 1 as 3 bytes were written at its byte ${mbufs.room}, `),
  );
  pool.allocBulk(burst, 4);
  equal(problems.length, 3, "each is reported once");
  memory.u8[byteOf(2, mbufs.room)] = 0;
  ok(pool instanceof CheckedMempool);
  equal(pool.checkGuards(), 1);
});

Deno.test("what is written to an mbuf after it was freed is found by who allocates it next", () => {
  using memory = freshMemory(1 << 20);
  const { pool, mbufs, problems } = guardedPool(memory);
  const burst = Burst.of(4);
  pool.allocBulk(burst, 4);
  pool.free(burst, 4);
  memory.u8[mbufs.offset + 2 * mbufs.stride + mbufs.room] = 0;
  pool.allocBulk(burst, 4);
  deepEqual(problems.map(({ kind, index, last }) => [kind, index, last?.state]), [
    ["overrun", 2, "free"],
  ]);
});

Deno.test("the guard in front of the first mbuf is not in the free ring", () => {
  using memory = freshMemory(1 << 20);
  const { pool, problems } = guardedPool(memory, 32); // slots to the end of a line
  const burst = Burst.of(32);
  equal(pool.allocBulk(burst, 32), 32);
  equal(problems.length, 0);
});

Deno.test("CheckedMempool.free() reports an mbuf of another kind of mempool, or of another region's", () => {
  using memoryA = freshMemory(1 << 20);
  using memoryB = freshMemory(1 << 20);
  const own = Array.from({ length: 16 }, () => checkedPool(4));
  try {
    const pools = [guardedPool(memoryA), guardedPool(memoryB), ...own];
    for (const { pool } of pools) {
      const burst = Burst.of(1);
      pool.allocBulk(burst, 1);
      for (const other of pools) {
        if (other.pool === pool) continue;
        other.pool.free(burst, 1);
        equal(other.problems.pop()?.kind, "foreign free");
      }
      pool.free(burst, 1);
    }
    equal(pools.some(({ problems }) => problems.length > 0), false);
  } finally {
    for (const pool of own) pool[Symbol.dispose]();
  }
});

Deno.test("a mempool for debugging has a number that no other in its region has", () => {
  using memoryA = freshMemory(1 << 20);
  using memoryB = freshMemory(1 << 20);
  const [a, b] = [Region.build(memoryA, "a"), Region.build(memoryB, "b")];
  const numberIn = (region: Region, name: string) => {
    const { pool } = addMempool(region, name, { count: 4, dataRoom: 64, debug: true });
    ok(pool instanceof CheckedMempool);
    return pool.handle.number;
  };
  const first = numberIn(a, "first");
  for (let i = 0; i < 14; i++) numberIn(b, `${i}`);
  const second = numberIn(a, "second"); // all 15 were given
  notEqual(first, second);
  ok(first <= 15 && second <= 15);
});

Deno.test("frames of several segments pass through a checked mempool, whole only", () => {
  using memory = freshMemory(1 << 20);
  const region = Region.build(memory, "r0");
  const problems: MempoolProblem[] = [];
  const { pool, frames } = addMempool(region, "pool", {
    count: 4,
    dataRoom: 64,
    debug: true,
    onProblem: (problem) => problems.push(problem),
  });
  const burst = Burst.of(3);
  pool.allocBulk(burst, 2);
  frames.chain(burst, 0, burst, 1);
  frames.clone(burst, 0, burst, 2);
  equal(frames.check(burst, 0), undefined);
  pool.free(burst, 1);
  equal(problems[0].kind, "part freed");
  match(problems[0].message, /as its frame goes on in other mbufs: use Frames\.free\(\)/);
  equal(pool.available, 2);
  frames.free(burst, 1);
  frames.free(burst, 1, 2);
  equal(problems.length, 1);
  equal(pool.available, 4);
});

Deno.test("auditMempool() and dumpMempool() take from the watch who holds what", () => {
  using test = checkedPool(10);
  const tx = CheckedMempool.attach(test.pool.handle, {
    cacheSize: 0,
    user: "a name too long by far",
  });
  const burst = Burst.of(3);
  test.pool.allocBulk(burst, 1);
  tx.allocBulk(burst, 2, 1);
  deepEqual(auditMempool(test.pool), []);
  const text = dumpMempool(test.pool);
  match(text, /^10 mbufs: 7 free to this thread, 3 in use/);
  match(text, /\n {2}rx holds 1\n {2}a name too long holds 2\n$/);
});

Deno.test("MempoolWatch goes on when its names are used up, and tells a spoiled record", () => {
  using test = checkedPool(4);
  const users = Array.from(
    { length: 70 },
    (_, i) => CheckedMempool.attach(test.pool.handle, { cacheSize: 0, user: `user ${i}` }),
  );
  const burst = Burst.of(1);
  users[62].allocBulk(burst, 1);
  equal(test.pool.watch.look(0).user, "user 62");
  users[62].free(burst, 1);
  users[69].allocBulk(burst, 1);
  equal(test.pool.watch.look(1).user, "somebody");
  const { memory, offset } = test.pool.handle.watch;
  new MappedMemory(memory).u32.fill(1, offset / 4 + WATCH.MBUFS);
  equal(test.pool.watch.look(0).state, "spoiled");
  test.pool.free(burst, 1);
  match(test.problems[0].message, /as its record was written over/);
});

Deno.test("CheckedMempool.createUntagged() makes descriptors without flags, and reports as others do", () => {
  const problems: MempoolProblem[] = [];
  const pool = CheckedMempool.createUntagged(8, "host", (problem) => problems.push(problem));
  const burst = Burst.of(8);
  equal(pool.allocBulk(burst, 8), 8);
  for (let i = 0; i < 8; i++) ok(burst.words[2 * i] < 8);
  pool.free(burst, 8);
  pool.free(burst, 1);
  deepEqual(problems.map(({ kind, user, last }) => [kind, user, last?.user]), [
    ["double free", "host", "host"],
  ]);
  equal(pool.available, 8);
});
