import { deepEqual, equal } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import type { Peer } from "../../app/ivshmem/peer.ts";
import type { Reconnector } from "../../app/region/reconnector.ts";
import { RegionPeers } from "../../app/host/region_peers.ts";
import { FakePeer } from "../ivshmem/fake_peer.ts";
import { TestHost } from "./test_host.ts";

/** A host's peers, of a server that can be lost; `next` is who we are once it is found again. */
function peersOf(first: FakePeer) {
  const log: string[] = [];
  const found: { next?: FakePeer } = {};
  const reconnector = {
    attempt(_last: Peer, _now: number) {
      const { next } = found;
      found.next = undefined;
      return next?.peer;
    },
  } as unknown as Reconnector;
  const peers = new RegionPeers(first.peer, (line) => log.push(line), reconnector);
  return { peers, log, found };
}

Deno.test("RegionPeers knows who is there, who has left, and closes what nobody uses", () => {
  const first = new FakePeer(0);
  const { peers } = peersOf(first);
  const eventfds = first.joins(1);
  equal(peers.eventfdsOf(1), eventfds);
  equal(peers.knows(eventfds), true);
  first.leaves(1);
  peers.poll(performance.now());
  equal(peers.hasLeft(eventfds), true);
  equal(peers.knows(eventfds), true);
  equal(peers.eventfdsOf(1), eventfds, "for who hears of it too late");
  peers.release((used) => used === eventfds);
  equal(shim.shim_eventfd_signal(eventfds[0]), 0, "it is in use");
  peers.release(() => false);
  equal(shim.shim_eventfd_signal(eventfds[0]) < 0, true);
  deepEqual(peers.eventfdsOf(1), []);
  peers.close();
  first.close();
});

Deno.test("RegionPeers have a newcomer for a second after a peer has joined, not after one has left", () => {
  const first = new FakePeer(0);
  const { peers } = peersOf(first);
  peers.poll(100);
  equal(peers.hasNewcomer(100), false);
  first.joins(1);
  peers.poll(200);
  deepEqual([200, 1199, 1200].map((now) => peers.hasNewcomer(now)), [true, true, false]);
  first.leaves(1);
  peers.poll(5000);
  equal(peers.hasNewcomer(5000), false);
  peers.release(() => false);
  peers.close();
  first.close();
});

Deno.test("A host hurries for a second after a peer has joined, as that may be a guest", () => {
  const first = new FakePeer(0);
  using lab = new TestHost({ peer: first.peer });
  const steps = (ms: number) => {
    for (let i = 0; i < ms / 10; i++) lab.turn(); // a turn takes 10 ms
    return lab.host.stepMs;
  };
  equal(steps(10), 250);
  first.joins(1);
  equal(steps(10), 10);
  equal(steps(980), 10);
  equal(steps(20), 250);
  first.close();
});

Deno.test("RegionPeers that find another server take those who are there for newcomers", () => {
  for (const ids of [[], [3]]) {
    const first = new FakePeer(0);
    const { peers, found } = peersOf(first);
    const next = found.next = new FakePeer(5);
    for (const id of ids) next.joins(id);
    next.news = []; // they joined before us
    first.loses();
    peers.poll(5000);
    equal(peers.hasNewcomer(5000), ids.length > 0);
    peers.close();
    first.close();
  }
});

Deno.test("RegionPeers without a server still wake the peers that they knew, and are woken by them", () => {
  const first = new FakePeer(0);
  const { peers, log, found } = peersOf(first);
  const eventfds = first.joins(1);
  first.loses();
  peers.poll(performance.now());
  peers.poll(performance.now());
  deepEqual(log, [
    "the server is gone (the connection is closed): forwarding goes on, nobody can join",
  ]);
  equal(peers.knows(eventfds), false, "nobody would tell that it is gone");
  equal(peers.id, 0);

  const second = found.next = new FakePeer(5);
  peers.poll(performance.now());
  equal(peers.id, 5);
  equal(log.at(-1), "the server is there again: we are peer 5, others can join");
  deepEqual(peers.eventfdsOf(1), [], "the id may be another's by now");
  for (const fd of eventfds) equal(shim.shim_eventfd_signal(fd), 0);
  for (const fd of first.vectors) equal(shim.shim_eventfd_signal(fd), 0);
  deepEqual(peers.vectors.map((fd) => shim.shim_eventfd_drain(fd)), [1, 1]);
  peers.release((fds) => fds === eventfds);
  equal(shim.shim_eventfd_signal(eventfds[0]), 0, "it is in use");
  peers.release(() => false);
  equal(shim.shim_eventfd_signal(eventfds[0]) < 0, true, "nobody needs it any more");
  peers.close();
  deepEqual([first.isClosed, second.isClosed], [false, true], "the first one is its owner's");
  first.close();
});

Deno.test("RegionPeers are woken by newcomers of each server that takes the last one's place", () => {
  const first = new FakePeer(0);
  const { peers, found } = peersOf(first);
  let now = first;
  const numbers = [...peers.laterVectors];
  for (const id of [3, 9]) {
    now.loses();
    peers.poll(performance.now());
    const last = now;
    now = found.next = new FakePeer(id);
    peers.poll(performance.now());
    equal(last.isClosed, last !== first, "the first one is its owner's");
    for (const fd of now.vectors) shim.shim_eventfd_signal(fd);
    deepEqual(peers.laterVectors.map((fd) => shim.shim_eventfd_drain(fd)), [1, 1]);
    deepEqual(peers.laterVectors, numbers, "lcores have these");
    const newcomer = now.joins(id + 1);
    equal(peers.knows(newcomer), true);
    now.leaves(id + 1);
    peers.poll(performance.now());
    equal(peers.hasLeft(newcomer), true);
  }
  peers.close();
  first.close();
});

Deno.test("RegionPeers take as many vectors as they had, if the next server gives more or fewer", () => {
  for (const vectors of [3, 1]) {
    const first = new FakePeer(0);
    const { peers, found } = peersOf(first);
    first.loses();
    peers.poll(performance.now());
    const next = found.next = new FakePeer(1, vectors);
    peers.poll(performance.now());
    for (const fd of next.vectors) shim.shim_eventfd_signal(fd);
    const rung = peers.laterVectors.map((fd) => shim.shim_eventfd_drain(fd));
    deepEqual(rung, vectors === 3 ? [1, 1] : [1, 0]);
    peers.close();
    first.close();
  }
});

Deno.test("RegionPeers of a region without a server are nobody", () => {
  const peers = new RegionPeers(undefined, () => {});
  peers.poll(performance.now());
  deepEqual([peers.id, peers.vectors, peers.laterVectors, peers.eventfdsOf(0)], [
    undefined,
    [],
    [],
    [],
  ]);
  peers.close();
});
