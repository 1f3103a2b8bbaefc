import { equal, match } from "node:assert/strict";
import { DESCRIPTOR } from "../../app/memory/layout.ts";
import type { Burst } from "../../app/ring/burst.ts";
import { FakePort } from "./fake_port.ts";
import { TestHost } from "./test_host.ts";

/** A port that frees what it does not take, though the caller does that. */
class GreedyPort extends FakePort {
  override takes = 5;

  override txBurst(burst: Burst, count: number): number {
    const n = super.txBurst(burst, count);
    this.resources.mempool.free(burst, count - n, n);
    return n;
  }
}

Deno.test("A host with a mempool for debugging forwards, and takes back what a guest held, without a line", () => {
  using lab = new TestHost({ places: { a: { 0: "p", 1: "q" } }, debugPool: true });
  lab.attach("a0", "a1");
  lab.log.length = 0;
  lab.ports.p.waiting = 100;
  lab.turns(10, () => lab.guests.a0.forward(0, 0));
  equal(lab.ports.p.sent.length / DESCRIPTOR.WORDS, 100);
  equal(lab.log.join(), "");
  lab.ports.q.waiting = 20;
  lab.turns(2); // and the guest sends none of them
  lab.end();
  equal(lab.log.filter((line) => line.includes("mbuf ")).join(), "");
});

Deno.test("A host with a mempool for debugging lends descriptors without flags", () => {
  using lab = new TestHost({ debugPool: true });
  lab.attachOnly();
  const [lane, port] = lab.lane();
  port.waiting = 10;
  lane.hostToGuest();
  const { rx } = lab.guests.r00.channels[0];
  equal(rx.peekBulk(10), 10);
  for (let i = 0; i < 10; i++) equal(rx.words[2 * i] >>> DESCRIPTOR.FLAGS_SHIFT, 0);
});

Deno.test("A host with a mempool for debugging logs what is freed twice and who freed it, and keeps it", () => {
  const makePort = (_: unknown, resources: ConstructorParameters<typeof FakePort>[0]) =>
    new GreedyPort(resources);
  using lab = new TestHost({ debugPool: true, makePort });
  const [channel] = lab.attachOnly();
  const [lane, port] = lab.lane();
  lab.log.length = 0;
  port.waiting = 8;
  lane.hostToGuest();
  lab.guests.r00.forward(0, 0);
  equal(channel.tx.count, 8);
  lane.guestToHost();
  equal(lab.log.length, 3, "five of eight were taken");
  for (const line of lab.log) {
    match(line, /^region r0: Cannot free mbuf \d+ as lcore 0 freed it .* \(found by lcore 0\)$/);
  }
  equal(lab.free, 256);
  lab.checkAccounts();
});

Deno.test("An lcore logs a hundred problems with mbufs, and no more", () => {
  const makePort = (_: unknown, resources: ConstructorParameters<typeof FakePort>[0]) =>
    new GreedyPort(resources);
  using lab = new TestHost({ debugPool: true, makePort });
  lab.attachOnly();
  const [lane, port] = lab.lane();
  lab.log.length = 0;
  for (let turn = 0; turn < 50; turn++) {
    port.waiting = 8;
    lane.hostToGuest();
    lab.guests.r00.forward(0, 0);
    lane.guestToHost();
  }
  equal(lab.log.length, 100);
});
