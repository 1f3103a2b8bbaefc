import { equal } from "node:assert/strict";
import { Outstanding } from "../../app/channel/outstanding.ts";

Deno.test("OutstandingCount.mbufs is what all writers have counted for that guest", () => {
  const outstanding = Outstanding.create(3, 3);
  const other = new Outstanding(outstanding.handle); // another thread's
  outstanding.of(1, 0).add(100); // lent by one lcore
  other.of(1, 1).add(-60); // taken back by another
  other.of(1, 2).add(-5); // by the main thread
  outstanding.of(0, 0).add(7);
  outstanding.of(2, 2).add(9);
  for (const writer of [0, 1, 2]) equal(outstanding.of(1, writer).mbufs, 35);
  equal(other.of(0, 1).mbufs, 7);
  equal(other.of(2, 0).mbufs, 9);
});

Deno.test("OutstandingCount.mbufs is 0 if mbufs are taken back that are not yet seen to be lent", () => {
  const outstanding = Outstanding.create(1, 2, 10);
  const [lends, takes] = [outstanding.of(0, 0), outstanding.of(0, 1)];
  takes.add(-3);
  equal(lends.mbufs, 0);
  equal(lends.mayHold(20), 10, "no more than the limit");
  lends.add(5);
  equal(takes.mbufs, 2);
});

Deno.test("OutstandingCount.mbufs stays right when balances run through 2^31", () => {
  const outstanding = Outstanding.create(1, 2);
  const [lends, takes] = [outstanding.of(0, 0), outstanding.of(0, 1)];
  for (let i = 0; i < 5; i++) {
    lends.add(2 ** 30);
    takes.add(-(2 ** 30) + 8);
  }
  equal(lends.mbufs, 40);
});

Deno.test("OutstandingCount.mayHold() allows what is left up to the limit, whoever lent the rest", () => {
  const outstanding = Outstanding.create(1, 2, 10);
  const [count, other] = [outstanding.of(0, 0), outstanding.of(0, 1)];
  other.add(7);
  equal(count.mayHold(2), 2);
  equal(count.mayHold(5), 3);
  other.add(7);
  equal(count.mayHold(5), 0, "a race between lcores may exceed the limit");
  equal(Outstanding.create(1, 1).of(0, 0).mayHold(5), 5, "no limit");
});
