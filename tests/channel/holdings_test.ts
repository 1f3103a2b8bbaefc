import { equal } from "node:assert/strict";
import { Holdings } from "../../app/channel/holdings.ts";

Deno.test("Holding.mbufs is what all writers have counted for that guest", () => {
  const holdings = Holdings.create(3, 3);
  const other = new Holdings(holdings.buffer, 3); // another thread's
  holdings.of(1, 0).add(100); // lent by one lcore
  other.of(1, 1).add(-60); // taken back by another
  other.of(1, 2).add(-5); // by the main thread
  holdings.of(0, 0).add(7);
  holdings.of(2, 2).add(9);
  for (const writer of [0, 1, 2]) equal(holdings.of(1, writer).mbufs, 35);
  equal(other.of(0, 1).mbufs, 7);
  equal(other.of(2, 0).mbufs, 9);
});

Deno.test("Holding.mbufs stays right when balances run through 2^31", () => {
  const holdings = Holdings.create(1, 2);
  const [lends, takes] = [holdings.of(0, 0), holdings.of(0, 1)];
  for (let i = 0; i < 5; i++) {
    lends.add(2 ** 30);
    takes.add(-(2 ** 30) + 8);
  }
  equal(lends.mbufs, 40);
});
