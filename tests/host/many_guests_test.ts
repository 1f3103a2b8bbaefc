import { deepEqual, equal, ok } from "node:assert/strict";
import { Burst } from "../../app/ring/burst.ts";
import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { CHANNEL, HEADER } from "../../app/memory/layout.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { Random } from "../kit/random.ts";
import type { TestGuest } from "./test_guest.ts";
import { TestHost } from "./test_host.ts";
import type { Places } from "./test_host_options.ts";
import { counted } from "./test_ports.ts";
import { RandomGuest } from "./random_guest.ts";

const { ABSENT, RUNNING, DETACHING } = GUEST_STATE;

/** p - guest 0 - guest 1 - q, in one region or in two. */
const CHAINS: Record<string, { places: Places; first: string; second: string }> = {
  "one region": {
    places: { a: { 0: "p link:x", 1: "link:x q" } },
    first: "a0",
    second: "a1",
  },
  "two regions": {
    places: { a: { 0: "p link:x" }, b: { 0: "link:x q" } },
    first: "a0",
    second: "b0",
  },
};

for (const [where, { places, first, second }] of Object.entries(CHAINS)) {
  Deno.test(`Frames go host - guest - guest - host and back in ${where}`, () => {
    using lab = new TestHost({ places: places });
    lab.attach(first, second);
    lab.ports.p.waiting = 500;
    lab.ports.q.waiting = 300;
    lab.turns(60, () => {
      for (const guest of [first, second]) {
        lab.guests[guest].forward(0, 1);
        lab.guests[guest].forward(1, 0);
      }
    });
    lab.end();
    const rxTx = lab.counters.map((counters) => {
      const { RX, TX, RX_BYTES: _rx, TX_BYTES: _tx, ...rest } = counted(counters);
      deepEqual(rest, {}, "nothing else is counted");
      return [RX, TX];
    });
    deepEqual(rxTx, [[500, 300], [300, 500], [500, 300], [300, 500]]);
  });

  Deno.test(`What the first guest writes is what the second one's port sends, in ${where}`, () => {
    using lab = new TestHost({ places: places });
    lab.attach(first, second);
    lab.ports.p.waiting = 100;
    let mark = 0;
    const { channels, memory } = lab.guests[first];
    const { offset, stride } = lab.host.regions[0].handle.geometry;
    lab.turns(30, () => {
      const burst = Burst.of(32);
      const n = channels[0].rx.dequeueBurst(burst, 32);
      for (let i = 0; i < n; i++) {
        memory.u8[offset + burst.words[2 * i] * stride + (burst.words[2 * i + 1] & 0xffff)] =
          ++mark;
      }
      channels[1].tx.enqueueBurst(burst, n);
      lab.guests[second].forward(0, 1);
    });
    lab.end();
    deepEqual(lab.ports.q.marks, Array.from({ length: 100 }, (_, i) => i + 1));
  });

  Deno.test(`A link to a guest that is not there drops its frames as such, in ${where}`, () => {
    using lab = new TestHost({ places: places });
    lab.attach(first);
    lab.ports.p.waiting = 100;
    lab.turns(30, () => lab.guests[first].forward(0, 1));
    lab.end();
    const [p, near, far] = lab.counters.map(counted);
    deepEqual([p.RX, near.TX, far.RX, far.NO_GUEST], [100, 100, 100, 100]);
  });

  Deno.test(`A guest that dies loses what it holds, and the others go on, in ${where}`, () => {
    using lab = new TestHost({ places: { ...places, z: { 9: "r" } } });
    lab.attach(first, second, "z9");
    const { incarnation } = lab.guests[first].state;
    lab.ports.p.waiting = 40;
    lab.turns(10, () => lab.guests[first].forward(0, 1)); // the second takes nothing
    lab.guests[second].state.move("guest", RUNNING, DETACHING);
    lab.turns(10);
    equal(lab.hosted(second).supervisor.lost, 40);
    const [region, number] = second;
    const its = `guest ${number} of region ${region}`;
    deepEqual(lab.log.slice(-2), [`${its} detached`, `${its} held 40 mbufs: taken back`]);
    equal(lab.guests[first].isRunning, true);
    equal(lab.guests[first].state.incarnation, incarnation, "nothing has happened to it");
    equal(lab.guests.z9.isRunning, true);
    lab.attach(second);
    lab.ports.p.waiting = 30;
    lab.turns(20, () => {
      lab.guests[first].forward(0, 1);
      lab.guests[second].forward(0, 1);
    });
    equal(lab.counters[3][COUNTER.TX], 30);
    lab.end();
  });

  Deno.test(`A host that drains brings home frames that are with either guest, in ${where}`, () => {
    using lab = new TestHost({ places: places });
    lab.attach(first, second);
    lab.ports.p.waiting = 60;
    lab.turns(4);
    equal(lab.hosted(first).supervisor.framesOut, 60);
    lab.host.stop();
    lab.ports.p.waiting = 60;
    lab.turns(20, () => {
      lab.guests[first].forward(0, 1);
      lab.guests[second].forward(0, 1);
    });
    equal(lab.ports.p.waiting, 60, "no new ones");
    equal(lab.counters[3][COUNTER.TX], 60);
    deepEqual([first, second].map((guest) => lab.hosted(guest).supervisor.framesOut), [0, 0]);
    lab.end();
  });

  for (const seed of [1, 2, 3, 4, 5, 6]) {
    Deno.test(`Chains of guests account for all, whatever guests do, in ${where}: seed ${seed}`, () => {
      using lab = new TestHost({ places: places, mbufs: 300, ringSize: 32 });
      const random = new Random(seed);
      lab.turn();
      lab.turns(800, () => {
        for (const port of Object.values(lab.ports)) {
          port.waiting += random.below(20);
          port.isUp = random.below(10) > 0;
        }
        for (const guest of Object.values(lab.guests)) randomTurn(guest, random);
      });
      for (const port of Object.values(lab.ports)) port.waiting = 0;
      lab.end();
      ok(lab.log.length > 20, `guests came and went ${lab.log.length} times`);
      for (const counters of lab.counters) ok(counters[COUNTER.RX] > 0, "all ports have received");
    });
  }
}

/** A guest comes, forwards some frames, does what it should not, goes. */
function randomTurn(guest: TestGuest, random: Random): void {
  const { state } = guest.state;
  if (state === ABSENT && random.below(4) === 0) guest.claim(random.below(2) === 0);
  if (!guest.isRunning) return;
  new RandomGuest(guest.channels, random).turn();
  guest.forward(0, 1);
  guest.forward(1, 0);
  if (random.below(40) === 0) guest.state.move("guest", RUNNING, DETACHING);
}

Deno.test("A guest cannot give back by one guest's ring what was lent to the other", () => {
  using lab = new TestHost({ places: CHAINS["one region"].places });
  lab.attach("a0", "a1");
  lab.ports.p.waiting = 10;
  lab.turns(4);
  const burst = Burst.of(32);
  equal(lab.guests.a0.channels[0].rx.dequeueBurst(burst, 32), 10);
  lab.guests.a1.channels[1].tx.enqueueBurst(burst, 10);
  lab.guests.a1.channels[0].giveback.enqueueBurst(burst, 10);
  lab.turns(4);
  deepEqual(lab.counters.map((of) => of[COUNTER.FOREIGN]), [0, 0, 10, 10]);
  equal(lab.hosted("a0").supervisor.framesOut, 10);
  lab.end();
});

Deno.test("A link between two ports of one guest gives it back its own frames", () => {
  using lab = new TestHost({ places: { a: { 0: "p link:x link:x q" } } });
  lab.attach("a0");
  lab.ports.p.waiting = 50;
  lab.turns(30, () => {
    lab.guests.a0.forward(0, 1);
    lab.guests.a0.forward(2, 3);
  });
  lab.end();
  equal(lab.counters[3][COUNTER.TX], 50);
});

Deno.test("a region tells how many mbufs are free as soon as guests may come", () => {
  using lab = new TestHost({ places: CHAINS["two regions"].places });
  deepEqual(lab.memories.map(({ u32 }) => u32[HEADER.MBUFS_FREE]), [256, 256]);
  lab.end();
});

Deno.test("HostedRegion.showCounters() writes each channel's counters, and free mbufs, into the region", () => {
  using lab = new TestHost({ places: CHAINS["two regions"].places });
  lab.attach("a0", "b0");
  lab.ports.p.waiting = 25;
  lab.turns(10, () => lab.guests.a0.forward(0, 1));
  lab.end();
  lab.counters.forEach((counters, i) => counters[COUNTER.MISSED] = 2 ** 40 + i);
  for (const region of lab.host.regions) region.showCounters(0);
  const shown = lab.host.regions.flatMap(({ guests }, at) =>
    guests.flatMap(({ places }) =>
      places.map((place) => {
        const byte = place.channel + CHANNEL.COUNTERS * 4;
        return new Float64Array(lab.memories[at].u8.slice(byte, byte + COUNTER.COUNT * 8).buffer);
      })
    )
  );
  shown.forEach((found, i) => deepEqual([...found], [...lab.counters[i]]));
  equal(shown[0][COUNTER.RX], 25);
  deepEqual(lab.memories.map(({ u32 }) => u32[HEADER.MBUFS_FREE]), [256, 256]);
});
