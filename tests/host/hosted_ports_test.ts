import { deepEqual, equal } from "node:assert/strict";
import { COUNTER, droppedBy } from "../../app/port/counters.ts";
import { TestHost } from "./test_host.ts";

Deno.test("Counters of all ports that stay go on at the next host, those of links, too", () => {
  using first = new TestHost({ places: { a: { 0: "p link:x", 1: "link:x q" } } });
  first.attach("a0", "a1");
  first.ports.p.waiting = 100;
  first.turns(20, () => {
    first.guests.a0.forward(0, 1);
    first.guests.a1.forward(0, 1);
  });
  first.end();
  using next = new TestHost({
    places: { a: { 0: "r p link:x", 1: "link:x q" } },
    before: first,
  });
  const [r, ...rest] = next.counters;
  deepEqual([r[COUNTER.RX], droppedBy(r)], [0, 0], "it is new");
  const countsOf = (counters: readonly Float64Array[]) =>
    counters.map((of) => [of[COUNTER.RX], of[COUNTER.TX], droppedBy(of)]);
  deepEqual(countsOf(rest), countsOf(first.counters));
  deepEqual(countsOf(rest).map(([rx, tx]) => [rx, tx]), [[100, 0], [0, 100], [100, 0], [0, 100]]);
  next.attach("a0", "a1");
  next.ports.p.waiting = 50;
  next.turns(20, () => next.guests.a0.forward(1, 2)); // guest 1 forwards nothing
  next.end(); // what was received is forwarded or dropped
  equal(next.counters[1][COUNTER.RX], 150);
  equal(next.counters[2][COUNTER.TX], 150);
});

Deno.test("Each of several ports of one name goes on with counters of its own", () => {
  const places = { a: { 0: "n n", 1: "n" }, b: { 1: "n" } };
  using first = new TestHost({ places });
  first.counters.forEach((counters, i) => counters[COUNTER.MISSED] = i + 1);
  using next = new TestHost({ places: { a: { 1: "n" }, b: places.b }, before: first });
  deepEqual(next.counters.map((counters) => counters[COUNTER.MISSED]), [3, 4]);
  using last = new TestHost({ places, before: first });
  deepEqual(last.counters.map((counters) => counters[COUNTER.MISSED]), [1, 2, 3, 4]);
});

Deno.test("What an lcore counts from 0 on begins there at the next host", () => {
  using first = new TestHost();
  const [counters] = first.counters;
  counters[COUNTER.LCORE_NS] = counters[COUNTER.IDLE_NS] = counters[COUNTER.POSITION] = 7;
  using next = new TestHost({ before: first });
  const { LCORE_NS, IDLE_NS, POSITION } = COUNTER;
  deepEqual([LCORE_NS, IDLE_NS, POSITION].map((at) => next.counters[0][at]), [0, 0, 7]);
});

Deno.test("A port's run is the same while its counters go on, and another when they begin at 0", () => {
  using first = new TestHost({ ports: 2 });
  using next = new TestHost({ ports: 3, before: first });
  using other = new TestHost({ ports: 2 });
  const runsOf = ({ counters }: TestHost) => counters.map((of) => of[COUNTER.RUN]);
  const [two, three] = [runsOf(first), runsOf(next)];
  deepEqual(three.slice(0, 2), two);
  equal(new Set([...three, ...runsOf(other)]).size, 5);
});
